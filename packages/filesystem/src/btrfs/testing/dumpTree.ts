/**
 * The used bytes of a device by btrfs-progs: what `btrfs inspect-internal dump-tree` prints of chunks and extents, put together
 * here. The other opinion for the map, because partclone has none to offer: it takes logical for physical addresses as soon as the
 * two differ, and leaves out the second copies of DUP chunks.
 */
import { type Extent, mergeExtents } from '@diskfleet/disk';
import { runTool } from '../../testing/index.ts';

interface DumpedChunk {
  readonly logical: number;
  readonly lengthBytes: number;
  readonly offsets: readonly number[];
}

function chunksIn(text: string, deviceId: number): DumpedChunk[] {
  return text.split(/item \d+ key /).flatMap((item) => {
    const head = /^\(FIRST_CHUNK_TREE CHUNK_ITEM (\d+)\)[^\n]*\n\s+length (\d+)/.exec(item);
    if (!head) return [];
    const offsets = [...item.matchAll(/stripe \d+ devid (\d+) offset (\d+)/g)].filter(([, id]) => Number(id) === deviceId);
    return [{ logical: Number(head[1]), lengthBytes: Number(head[2]), offsets: offsets.map(([, , at]) => Number(at)) }];
  });
}

/** For chunks that are not striped over several places (single, DUP, RAID1 and its kin). */
export async function usedByDumpTree(image: string): Promise<Extent[]> {
  const dump = (tree: string) => runTool('btrfs', ['inspect-internal', 'dump-tree', '-t', tree, image]);
  const head = await runTool('btrfs', ['inspect-internal', 'dump-super', image]);
  const field = (name: string) => Number(new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(head)?.[1]);
  const chunks = chunksIn(await dump('chunk'), field('dev_item.devid'));
  const used: Extent[] = [{ offsetBytes: 0, lengthBytes: 1 << 20 }];
  for (const offsetBytes of [64 * 2 ** 20, 256 * 2 ** 30]) {
    const lengthBytes = Math.max(4096, field('sectorsize'));
    if (offsetBytes + lengthBytes <= field('dev_item.total_bytes')) used.push({ offsetBytes, lengthBytes });
  }
  for (const [, start, type, number] of (await dump('extent')).matchAll(/key \((\d+) (EXTENT_ITEM|METADATA_ITEM) (\d+)\)/g)) {
    const logical = Number(start);
    const lengthBytes = type === 'EXTENT_ITEM' ? Number(number) : field('nodesize');
    const chunk = chunks.find((one) => logical >= one.logical && logical < one.logical + one.lengthBytes);
    if (!chunk) throw new Error(`no chunk for ${logical}`);
    for (const offset of chunk.offsets) used.push({ offsetBytes: offset + logical - chunk.logical, lengthBytes });
  }
  return mergeExtents(used);
}
