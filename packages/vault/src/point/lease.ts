/** [F18] `sessions/<point id>-<n>`: says that a writer is at work, so that a later sweep leaves its packs alone. */
import { sealText } from '../config/checkedText.ts';
import type { Store } from '../types.ts';

const renewMs = 10 * 60 * 1000;

export interface Lease {
  /** Stops renewing and removes what this store lets us remove. */
  end(): Promise<void>;
}

/** Objects are never rewritten, so each renewal is a new one; the store's own time of receipt is what counts. */
export async function startLease(store: Store, point: { id: string; vaultId: string; startedAt: string }): Promise<Lease> {
  let count = 0;
  const write = async () => {
    const name = `sessions/${point.id}-${count}`;
    await store.put(
      name,
      sealText({
        format: 'diskfleet-session',
        version: 1,
        vaultId: point.vaultId,
        pointId: point.id,
        startedAt: point.startedAt,
        renewal: count,
      }),
    );
    count += 1;
  };
  await write();
  // A renewal that fails is no reason to fail the run: the next store of a pack will tell.
  const timer = setInterval(() => write().catch(() => {}), renewMs);
  timer.unref();
  return {
    async end() {
      clearInterval(timer);
      for (let at = 0; at < count; at += 1) await store.remove(`sessions/${point.id}-${at}`).catch(() => {});
      count = 0;
    },
  };
}
