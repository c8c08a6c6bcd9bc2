import type { Vault, VerifyReport } from '@diskfleet/vault';
import type { Operation } from './types.ts';

export interface VerifyRequest {
  /** `structure`: every reference resolves. `data`: every stored byte re-hashed too. `content`: every chunk opened (needs to read). */
  readonly level: 'structure' | 'data' | 'content';
  /** Only what this point needs; all points when left out. */
  readonly pointId?: string;
}

/** Checks a vault the way every other operation runs: progress, log and cancellation by `op`. Damage is a result, not an error. */
export async function verify(vault: Vault, request: VerifyRequest, op: Operation): Promise<VerifyReport> {
  const report = await vault.verify({
    ...request,
    signal: op.signal,
    onProgress: (doneBytes, totalBytes) =>
      op.onProgress?.({ phase: 'verify', doneBytes, totalBytes, newBytes: 0, storedBytes: 0, skippedBytes: 0 }),
  });
  for (const { object, problem, points } of report.damaged) {
    op.onLog?.({ level: 'error', text: `${object}: ${problem} (needed by ${points.length} restore points)` });
  }
  return report;
}
