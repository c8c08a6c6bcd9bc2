/** [F26] The writer's side of sweeping: which packs not to build on, and whether the run may still count. */
import { VaultError } from '../errors.ts';
import type { Store } from '../types.ts';
import { type GcKey, listGc, readVerdict, stepName } from './gcObjects.ts';

export interface WriterFence {
  /** Number of the newest mark this run knows of. */
  readonly gcSeen: number;
  /** Hex names of packs that count as absent. */
  readonly avoid: ReadonlySet<string>;
  /** @throws VaultError `VAULT_SWEPT` when packs this run may build on are being removed. */
  check(): Promise<void>;
}

/** Call after the session is stored and before the index is read. */
export async function openFence(store: Store, key: GcKey): Promise<WriterFence> {
  const listing = await listGc(store);
  const avoid = new Set<string>(listing.quarantined);
  let gcSeen = 0;
  for (const { number, steps } of listing.cycles) {
    if (!steps.has('mark')) continue;
    // Of a mark that cannot be read nothing can be avoided: it counts as not seen, and its fence will stop this run.
    const mark = steps.has('swept') ? { packs: [] } : await readVerdict(store, stepName(number, 'mark'), key);
    if (mark === null) break;
    gcSeen = number;
    for (const pack of mark.packs) avoid.add(pack);
  }
  return {
    gcSeen,
    avoid,
    async check() {
      const { cycles } = await listGc(store);
      if (!cycles.some(({ number, steps }) => number > gcSeen && steps.has('sweep'))) return;
      throw new VaultError('VAULT_SWEPT', 'the vault was swept while this run was cut off from it; run it again', {
        retry: 'later',
      });
    },
  };
}
