/** Whether a machine is protected, derived from the clock and from what is in the vaults: never from the colour of a job. */
import type { ProtectionState } from '@diskfleet/protocol';

/** Without a policy: a restore point in the last 24 hours. */
export const DEFAULT_OBJECTIVE_MS = 24 * 3_600_000;

export interface ProtectionFacts {
  readonly now: Date;
  /** When the server recorded the newest restore point. */
  readonly newestPointAt: Date | null;
  readonly newestVerifyFailed: boolean;
  /** Of the vault the newest point is in. */
  readonly vaultReachable: boolean;
  /** When the last backup ended, if it did not succeed. */
  readonly lastBackupFailedAt: Date | null;
  /** Names of built-in disks with something on them that no recent restore point holds. */
  readonly uncovered: readonly string[];
  readonly objectiveMs?: number;
}

/** Pure. The reason is one sentence for people. */
export function protectionOf(facts: ProtectionFacts): { state: ProtectionState; reason: string } {
  const { now, newestPointAt, objectiveMs = DEFAULT_OBJECTIVE_MS } = facts;
  const failed = facts.lastBackupFailedAt;
  if (!newestPointAt) {
    return { state: 'never', reason: failed ? 'It was never backed up: the last try failed.' : 'It was never backed up.' };
  }
  const ageMs = now.getTime() - newestPointAt.getTime();
  if (ageMs > objectiveMs) {
    return {
      state: 'overdue',
      reason: `The newest restore point is ${span(ageMs)} old; at most ${span(objectiveMs)} is wanted.`,
    };
  }
  if (facts.newestVerifyFailed) return { state: 'at-risk', reason: 'The newest restore point did not pass its check.' };
  if (!facts.vaultReachable) return { state: 'at-risk', reason: 'The vault of the newest restore point cannot be reached.' };
  if (failed && failed > newestPointAt)
    return { state: 'at-risk', reason: 'The last backup failed; an earlier one is still recent enough.' };
  const [first, ...more] = facts.uncovered;
  if (first !== undefined) {
    const which = more.length === 0 ? `The disk ${first} has` : `The disk ${first} and ${more.length} more have`;
    return { state: 'at-risk', reason: `${which} no recent backup.` };
  }
  return { state: 'protected', reason: `The newest restore point is ${span(Math.max(0, ageMs))} old.` };
}

function span(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return minutes === 1 ? '1 minute' : `${minutes} minutes`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}
