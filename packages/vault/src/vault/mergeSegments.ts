/** [F23] Keeps the number of segments small. Any writer may do it, two at once too: results are named by content and say the same. */
import { entryBytes } from '../index/entry.ts';
import { claimedSuperseded, liveSegments, type SegmentHead, type SegmentSource, segmentHeads } from '../index/liveSegments.ts';
import { encodeEntries, maxEntries, packRowBytes } from '../index/segment.ts';

/** More small segments than this are worth merging. */
const tolerated = 32;
const smallBelow = maxEntries / 2;

/** Pure: groups of whole segments to merge, each of at most `maxEntries` entries; empty when there are few. */
export function planMerge(heads: readonly SegmentHead[]): SegmentHead[][] {
  // A table of packs without chunks is no writer's work, and would take memory.
  const small = heads.filter((head) => head.packCount <= head.entryCount && head.entryCount > 0 && head.entryCount < smallBelow);
  if (small.length <= tolerated) return [];
  const groups: { heads: SegmentHead[]; entries: number }[] = [];
  for (const head of [...small].sort((a, b) => a.entryCount - b.entryCount || (a.name < b.name ? -1 : 1))) {
    const last = groups.at(-1);
    if (last !== undefined && last.entries + head.entryCount <= maxEntries) {
      last.heads.push(head);
      last.entries += head.entryCount;
    } else {
      groups.push({ heads: [head], entries: head.entryCount });
    }
  }
  return groups.filter((group) => group.heads.length > 1).map((group) => group.heads);
}

/**
 * Returns how many segments were merged. Superseded ones stay until they are swept. One group is in memory at a time: its entries twice,
 * 12 MiB, and the segment being read, whatever the size of the vault.
 */
export async function mergeSegments(source: SegmentSource & { readonly idKey: Uint8Array }): Promise<number> {
  const heads = await segmentHeads(source.store);
  // A claim nobody checked can only keep small segments from being merged; readers check before they leave one out.
  const gone = await claimedSuperseded(source.store, heads);
  let merged = 0;
  for (const group of planMerge(heads.filter((head) => !gone.has(head.name)))) {
    const gathered = await gather(source, group);
    if (gathered.sound < 2) continue;
    const { name, bytes } = encodeEntries(gathered, source);
    await source.store.put(name, bytes);
    merged += gathered.sound;
  }
  return merged;
}

async function gather(source: SegmentSource, group: readonly SegmentHead[]) {
  const room = group.reduce((sum, head) => ({ packs: sum.packs + head.packCount, entries: sum.entries + head.entryCount }), {
    packs: 0,
    entries: 0,
  });
  const packTable = Buffer.alloc(room.packs * packRowBytes);
  const entries = Buffer.alloc(room.entries * entryBytes);
  const superseded = new Set<string>();
  const ordinals = new Map<string, number>();
  let [end, sound] = [0, 0];
  for await (const { name, segment } of liveSegments(source, group, () => {})) {
    // Two segments may list one pack; they say the same of it.
    const ordinalOf = segment.packs.map((pack, at) => {
      if (ordinals.has(pack.name)) return -1;
      const ordinal = ordinals.size;
      ordinals.set(pack.name, ordinal);
      segment.packTable.copy(packTable, ordinal * packRowBytes, at * packRowBytes, (at + 1) * packRowBytes);
      return ordinal;
    });
    for (let at = 0; at < segment.entries.length; at += entryBytes) {
      const ordinal = ordinalOf[segment.entries.readUInt32LE(at + 32)] ?? -1;
      if (ordinal < 0) continue;
      segment.entries.copy(entries, end, at, at + entryBytes);
      entries.writeUInt32LE(ordinal, end + 32);
      end += entryBytes;
    }
    for (const hash of [hashOf(name), ...segment.superseded]) superseded.add(hash);
    sound += 1;
  }
  const packs = packTable.subarray(0, ordinals.size * packRowBytes);
  return { packTable: packs, entries: entries.subarray(0, end), superseded: [...superseded].sort(), sound };
}

function hashOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
