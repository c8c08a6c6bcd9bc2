/** [F23] Keeps the number of segments small. Any writer may do it, two at once too: results are named by content and say the same. */
import { liveSegments, type SegmentHead, type SegmentSource, segmentHeads } from '../index/liveSegments.ts';
import { encodeSegment, maxEntries, packsOfSegment } from '../index/segment.ts';
import type { SealedPack } from '../types.ts';

/** More small segments than this are worth merging. */
const tolerated = 32;
const smallBelow = maxEntries / 2;

/** Pure: groups of whole segments to merge, each of at most `maxEntries` entries; empty when there are few. */
export function planMerge(heads: readonly SegmentHead[]): SegmentHead[][] {
  const small = heads.filter((head) => head.entryCount > 0 && head.entryCount < smallBelow);
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

/** Returns how many segments were merged. Superseded ones stay until they are swept. */
export async function mergeSegments(source: SegmentSource & { readonly idKey: Uint8Array }): Promise<number> {
  const heads = await segmentHeads(source.store);
  const live = await withoutSuperseded(source, heads);
  let merged = 0;
  for (const group of planMerge(live)) {
    const packs = new Map<string, SealedPack>();
    const superseded = new Set<string>();
    let sound = 0;
    for await (const { name, segment } of liveSegments(source, group, () => {})) {
      for (const pack of packsOfSegment(segment)) packs.set(pack.name, pack);
      for (const hash of [hashOf(name), ...segment.superseded]) superseded.add(hash);
      sound += 1;
    }
    if (sound < 2) continue;
    const { name, bytes } = encodeSegment([...packs.values()], source, [...superseded].sort());
    await source.store.put(name, bytes);
    merged += sound;
  }
  return merged;
}

/** Segments that a sound merged one replaces need no second merge. */
async function withoutSuperseded(source: SegmentSource, heads: readonly SegmentHead[]): Promise<SegmentHead[]> {
  const gone = new Set<string>();
  const mergedOnes = heads.filter((head) => head.supersededCount > 0);
  for await (const { segment } of liveSegments(source, mergedOnes, () => {})) {
    for (const hash of segment.superseded) gone.add(hash);
  }
  return heads.filter((head) => !gone.has(hashOf(head.name)));
}

function hashOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
