/** [F24] Takes a point away so that everyone can tell it was meant to go. Its chunks stay until they are swept. */
import { VaultError } from '../errors.ts';
import { encodeGc, type GcKey, removedName } from '../gc/gcObjects.ts';
import type { Store } from '../types.ts';
import { pointIdOfName } from './manifest.ts';

/** @param name of the manifest. @throws VaultError what the store throws; a service refuses all but the server. */
export async function removePoint(store: Store, name: string, key: GcKey): Promise<void> {
  const pointId = pointIdOfName(name);
  if (pointId === null) throw new VaultError('POINT_NOT_FOUND', `${name} is not the name of a restore point`);
  const record = removedName(pointId);
  const made = await store.put(record, encodeGc(record, { pointId }, key));
  try {
    await store.remove(name);
  } catch (cause) {
    // A record of a removal that was refused would one day hide a loss.
    const refused =
      cause instanceof VaultError && ['VAULT_RETAINED', 'VAULT_REFUSED', 'VAULT_OBJECT_LOCKED'].includes(cause.code);
    if (refused && made === 'stored') await store.remove(record).catch(() => {});
    throw cause;
  }
}
