import { VaultError } from '../errors.ts';
import type { Store } from '../types.ts';

/**
 * Removes an object unless the storage holds it, e.g. by object lock: false then. A sweep goes on: what stays is no longer named by the
 * index, so a later run finds it empty again.
 */
export async function removeUnlessLocked(store: Store, name: string): Promise<boolean> {
  try {
    await store.remove(name);
    return true;
  } catch (cause) {
    if (cause instanceof VaultError && cause.code === 'VAULT_OBJECT_LOCKED') return false;
    throw cause;
  }
}
