import { pointIdOfName } from '../point/manifest.ts';
import type { Store } from '../types.ts';

/** Whether a copy may have this id: no point has it, and none that had it was removed [F24]. */
export async function isFreePointId(store: Store, id: string): Promise<boolean> {
  if ((await store.head(`gc/removed-${id}`)) !== null) return false;
  for await (const { name } of store.list('points/')) if (pointIdOfName(name) === id) return false;
  return true;
}
