/**
 * What a vault's keeper holds to whoever asks, the server included: how long removed objects are kept, how young a restore point may
 * not be removed, and how much may be stored. Pure. Lengthening the delay or the retention is immediate; shortening either takes
 * effect only after the old delay, so who takes over the server gains nothing by asking for less.
 */
import { type VaultPolicy as Policy, vaultPolicyShape } from '@diskfleet/protocol';
import * as z from 'zod';

const dayMs = 24 * 3_600_000;

/** The policies a vault had that still matter, oldest first; the last one is the one wanted. */
export const policyStepsShape = z.array(vaultPolicyShape.extend({ atMs: z.number() })).min(1);
export type PolicySteps = z.infer<typeof policyStepsShape>;

export const firstPolicy: Policy = { deletionDelayMs: 14 * dayMs, minRetentionMs: 0, quotaBytes: null, machineBytesPerDay: null };

/** Until when the delay and the retention of one step count: for ever for the newest, else their own length after it was replaced. */
function untilMs(steps: PolicySteps, place: number): { delay: number; retention: number } {
  const step = steps[place];
  const next = steps[place + 1];
  if (!step || !next) return { delay: Number.POSITIVE_INFINITY, retention: Number.POSITIVE_INFINITY };
  return {
    delay: next.atMs + step.deletionDelayMs,
    retention: next.atMs + Math.max(step.deletionDelayMs, step.minRetentionMs),
  };
}

export interface PolicyInForce extends Policy {
  /** When the last of what was shortened takes effect; null when all that is wanted is in force. */
  readonly changesAtMs: number | null;
}

/** What counts now. */
export function policyInForce(steps: PolicySteps, nowMs: number): PolicyInForce {
  const wanted = steps.at(-1) ?? { ...firstPolicy, atMs: 0 };
  let { deletionDelayMs, minRetentionMs } = wanted;
  let changesAtMs: number | null = null;
  for (const [place, step] of steps.entries()) {
    const until = untilMs(steps, place);
    const later = (atMs: number) => {
      if (Number.isFinite(atMs)) changesAtMs = Math.max(changesAtMs ?? 0, atMs);
    };
    if (nowMs < until.delay && step.deletionDelayMs > wanted.deletionDelayMs) later(until.delay);
    if (nowMs < until.retention && step.minRetentionMs > wanted.minRetentionMs) later(until.retention);
    if (nowMs < until.delay) deletionDelayMs = Math.max(deletionDelayMs, step.deletionDelayMs);
    if (nowMs < until.retention) minRetentionMs = Math.max(minRetentionMs, step.minRetentionMs);
  }
  const { quotaBytes, machineBytesPerDay } = wanted;
  return { deletionDelayMs, minRetentionMs, quotaBytes, machineBytesPerDay, changesAtMs };
}

/** The steps after `policy` was asked for. Steps that no longer count are dropped. */
export function changePolicy(steps: PolicySteps, policy: Policy, nowMs: number): PolicySteps {
  const all = [...steps, { ...policy, atMs: nowMs }];
  return all.filter((_, place) => {
    const until = untilMs(all, place);
    return nowMs < Math.max(until.delay, until.retention);
  });
}
