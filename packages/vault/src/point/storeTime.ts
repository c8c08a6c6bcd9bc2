import { randomBytes } from 'node:crypto';
import type { Store } from '../types.ts';
import { startLease } from './lease.ts';

/** The time it is for the store, in ms since 1970, found out by storing something; null where it does not tell. */
export async function storeTimeMs(store: Store, vaultId: string): Promise<number | null> {
  const id = randomBytes(16).toString('hex');
  const lease = await startLease(store, { id, vaultId, startedAt: new Date(0).toISOString() });
  try {
    for await (const { storedAtMs } of store.list(`sessions/${id}`)) return storedAtMs ?? null;
    return null;
  } finally {
    await lease.end();
  }
}
