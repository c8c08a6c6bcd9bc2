/** For verify: reads all index segments into a location table; a damaged segment is left out and remembered, so the rest stays usable. */
import { VaultError } from '../errors.ts';
import { entryBytes } from '../index/entry.ts';
import { LocationTable } from '../index/locationTable.ts';
import { decodeSegment, type Segment } from '../index/segment.ts';
import type { Store } from '../types.ts';

const fetchedAtOnce = 4;

export interface LoadedIndex {
  readonly table: LocationTable;
  /** Names of segments in the table. */
  readonly loaded: Set<string>;
  /** Segments that could not be read, and why. */
  readonly damaged: Map<string, string>;
}

export function emptyIndex(): LoadedIndex {
  return { table: new LocationTable(), loaded: new Set(), damaged: new Map() };
}

/** Adds what the store has and `index` has not. */
export async function loadIndex(
  store: Store,
  index: LoadedIndex,
  key: { vaultId: string; idKey: Uint8Array | null },
): Promise<void> {
  const names: string[] = [];
  for await (const { name } of store.list('index/')) if (!index.loaded.has(name)) names.push(name);
  for (let at = 0; at < names.length; at += fetchedAtOnce) {
    const group = names.slice(at, at + fetchedAtOnce);
    const segments = await Promise.all(group.map((name) => readSegment(store, name, { index, key })));
    for (const [place, segment] of segments.entries()) {
      const name = group[place];
      if (segment === null || name === undefined) continue;
      addSegment(index.table, segment);
      index.loaded.add(name);
      index.damaged.delete(name);
    }
  }
}

async function readSegment(
  store: Store,
  name: string,
  use: { index: LoadedIndex; key: { vaultId: string; idKey: Uint8Array | null } },
): Promise<Segment | null> {
  try {
    return decodeSegment(await store.get(name), name, use.key);
  } catch (cause) {
    if (!(cause instanceof VaultError) || (cause.code !== 'VAULT_DAMAGED' && cause.code !== 'VAULT_OBJECT_MISSING')) throw cause;
    use.index.damaged.set(name, cause.message);
    return null;
  }
}

function addSegment(table: LocationTable, segment: Segment): void {
  const ordinals = segment.packs.map((pack) => table.addPack(pack));
  table.reserve(segment.entryCount);
  for (let at = 0; at < segment.entries.length; at += entryBytes) {
    table.insert(segment.entries, at, ordinals[segment.entries.readUInt32LE(at + 32)] ?? 0);
  }
}
