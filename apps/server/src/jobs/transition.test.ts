import { jobStates } from '@diskfleet/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isOpen, type JobEvent, type JobFacts, jobTransition } from './transition.ts';

const attempt = fc.integer({ min: 0, max: 4 });
const failure = fc.constant({ code: 'AGENT_BUSY', detail: '', retry: 'later' } as const);
const event: fc.Arbitrary<JobEvent> = fc.oneof(
  fc.record({ kind: fc.constant('offer' as const) }),
  fc.record({ kind: fc.constant('accept' as const), attempt }),
  fc.record({ kind: fc.constant('decline' as const), attempt, busy: fc.boolean(), failure }),
  fc.record({ kind: fc.constant('unknownToAgent' as const) }),
  fc.record({
    kind: fc.constant('outcome' as const),
    attempt,
    end: fc.constantFrom('succeeded' as const, 'failed' as const, 'cancelled' as const),
    failure: fc.constant(null),
  }),
  fc.record({ kind: fc.constant('askCancel' as const) }),
  fc.record({ kind: fc.constant('expire' as const) }),
  fc.record({ kind: fc.constant('revoke' as const) }),
);
const job: fc.Arbitrary<JobFacts> = fc.record({ state: fc.constantFrom(...jobStates), attempt, cancelAsked: fc.boolean() });
const options = { numRuns: 2000 };

test('an end is final', () => {
  fc.assert(
    fc.property(job, event, (facts, what) => {
      if (!isOpen(facts.state)) expect(jobTransition(facts, what)).toBeNull();
    }),
    options,
  );
});

test('the attempt grows by one with an offer and by nothing else', () => {
  fc.assert(
    fc.property(job, event, (facts, what) => {
      const after = jobTransition(facts, what);
      if (after) expect(after.attempt - facts.attempt).toBe(what.kind === 'offer' ? 1 : 0);
    }),
    options,
  );
});

test('a message of another attempt changes nothing', () => {
  fc.assert(
    fc.property(job, event, (facts, what) => {
      if ('attempt' in what && what.attempt !== facts.attempt) expect(jobTransition(facts, what)).toBeNull();
    }),
    options,
  );
});

test('the same message twice is the same as once', () => {
  fc.assert(
    fc.property(job, event, (facts, what) => {
      const once = jobTransition(facts, what);
      if (!once || what.kind === 'offer' || what.kind === 'askCancel') return;
      const twice = jobTransition(once, what);
      // Back in the queue the same decline or hello finds nothing to take back.
      expect(twice).toBeNull();
    }),
    options,
  );
});

test('from any history: never two attempts at once, succeeded only by the agent, and asked-for cancels never restart', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let facts: JobFacts = { state: 'queued', attempt: 0, cancelAsked: false };
      for (const what of events) {
        const after = jobTransition(facts, what);
        if (!after) continue;
        if (after.state === 'succeeded') expect(what.kind).toBe('outcome');
        if (after.state === 'running' && facts.state !== 'running') expect(what.kind).toBe('accept');
        if (after.state === 'queued') expect(facts.state).toBe('offered');
        if (facts.cancelAsked) expect(after.state).not.toBe('queued');
        if (after.cancelAsked !== facts.cancelAsked) expect(what.kind).toBe('askCancel');
        facts = after;
      }
    }),
    options,
  );
});

test('what a lost agent means depends on whether it had accepted', () => {
  const lost = { kind: 'unknownToAgent' } as const;
  expect(jobTransition({ state: 'offered', attempt: 1, cancelAsked: false }, lost)?.state).toBe('queued');
  expect(jobTransition({ state: 'running', attempt: 1, cancelAsked: false }, lost)).toMatchObject({
    state: 'failed',
    failure: { code: 'AGENT_RESTARTED' },
  });
  expect(jobTransition({ state: 'running', attempt: 1, cancelAsked: true }, lost)?.state).toBe('cancelled');
});
