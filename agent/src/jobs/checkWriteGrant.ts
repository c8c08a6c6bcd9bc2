/**
 * The agent's own judgement of a permission to overwrite a disk. Everything in it must agree with the job and with this machine;
 * whoever holds the server can still not replay one, stretch its time or point it at another disk.
 */
import { type JobSpecOf, openWriteGrant, rawPublicKey, type WriteGrant } from '@diskfleet/protocol';
import { AgentError } from '../errors.ts';
import type { JobContext } from './jobContext.ts';

const MAX_LIFETIME_MS = 15 * 60_000;
/** Clocks are never quite equal. */
const CLOCK_SLACK_MS = 60_000;
const MAX_WRITES_A_DAY = 50;

/** @throws AgentError `GRANT_INVALID`, `GRANT_USED`, `PLAN_EXPIRED` */
export function checkWriteGrant(context: JobContext, spec: JobSpecOf<'restore'>): WriteGrant {
  const { identity, journal } = context;
  const now = context.serverNow();
  const grant = openWriteGrant(rawPublicKey(identity.serverPublicKey), spec.writeGrant, now);
  if (grant === 'expired') throw new AgentError('PLAN_EXPIRED', 'the permission to write is older than allowed');
  if (typeof grant === 'string') throw new AgentError('GRANT_INVALID', `the permission is ${grant}`);
  const wrong = mismatch(grant, context, spec);
  if (wrong !== null) throw new AgentError('GRANT_INVALID', `the permission is for another ${wrong}`);
  if (Date.parse(grant.expiresAt) - now.getTime() > MAX_LIFETIME_MS + CLOCK_SLACK_MS) {
    throw new AgentError('GRANT_INVALID', 'the permission would last longer than 15 minutes');
  }
  if (journal.isSpent(grant.nonce)) throw new AgentError('GRANT_USED', 'this agent has used it');
  if (journal.spentSince(new Date(now.getTime() - 24 * 3_600_000)) >= MAX_WRITES_A_DAY) {
    throw new AgentError('GRANT_INVALID', `this PC allows ${MAX_WRITES_A_DAY} disk writes a day`);
  }
  return grant;
}

/** The name of a target inside a grant. */
export function grantTargetKey(target: JobSpecOf<'restore'>['target']): string {
  return target.kind === 'disk' ? target.diskKey : `newFile:${target.fileName}`;
}

function mismatch(grant: WriteGrant, { identity, jobId }: JobContext, spec: JobSpecOf<'restore'>): string | null {
  if (grant.machineId !== identity.machineId) return 'machine';
  if (grant.jobId !== jobId) return 'job';
  if (grant.planHash !== spec.planHash) return 'plan';
  return grant.targetKey === grantTargetKey(spec.target) ? null : 'target';
}
