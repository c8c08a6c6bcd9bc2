/**
 * Log trees: what programs have synced since the last commit, one tree per subvolume below one tree of logs. Their nodes, and the
 * file data they name, are not in the extent tree; the next mount would put them there.
 */
import { FilesystemError } from '../errors.ts';
import { leaves } from './nodeStore.ts';
import { itemType, type NodeRef } from './treeNode.ts';
import type { Volume } from './volume.ts';

/** The log of one commit interval; a hostile one must not grow without end. */
const mostExtents = 1_000_000;

export interface LogicalRange {
  readonly logical: number;
  readonly lengthBytes: number;
}

/** Nodes and data of all logs. Empty after a clean unmount. @throws FilesystemError when a log cannot be followed to its end. */
export async function logExtents(volume: Volume): Promise<LogicalRange[]> {
  const { logTree, generation, nodeBytes } = volume.superblock;
  if (!logTree) return [];
  const ranges: LogicalRange[] = [];
  const add = (logical: number, lengthBytes: number) => {
    ranges.push({ logical, lengthBytes });
    if (ranges.length > mostExtents) throw new FilesystemError('FS_TOO_LARGE', 'the log is too long to follow');
  };
  const onNode = (ref: NodeRef) => add(ref.logical, nodeBytes);
  const logs: NodeRef[] = [];
  for await (const leaf of leaves(volume.nodes, { ...logTree, generation: generation + 1, firstKey: null }, { onNode })) {
    for (let index = 0; index < leaf.count; index++) {
      if (leaf.type(index) !== itemType.root) continue;
      const raw = leaf.item(index, 'the root of a log');
      logs.push({ logical: raw.u64(176), level: raw.u8(238), generation: raw.u64(160), firstKey: null });
    }
  }
  for (const log of logs) {
    for await (const leaf of leaves(volume.nodes, log, { onNode })) {
      for (let index = 0; index < leaf.count; index++) {
        if (leaf.type(index) !== itemType.extentData) continue;
        const raw = leaf.item(index, 'a logged extent');
        // Inline content lies in the log itself; address 0 is a hole.
        if (raw.u8(20) !== 0 && raw.u64(21) !== 0) add(raw.u64(21), raw.u64(29));
      }
    }
  }
  return ranges;
}
