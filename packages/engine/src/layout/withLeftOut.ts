import type { SavedDiskInfo } from '@diskfleet/vault';
import type { DiskLayout } from '../types.ts';

/**
 * The layout of a saved disk, whose bytes know nothing of what was left out: those partitions read as zero, so what they held is told
 * by the manifest.
 */
export function withLeftOut(layout: DiskLayout, info: Pick<SavedDiskInfo, 'partitions'>): DiskLayout {
  const leftOut = info.partitions.filter(({ content }) => content === 'leftOut');
  if (leftOut.length === 0) return layout;
  const partitions = layout.partitions.map((partition) => {
    const saved = leftOut.find(({ number, startBytes }) => number === partition.number && startBytes === partition.startBytes);
    return saved === undefined ? partition : { ...partition, filesystem: saved.filesystem, content: 'leftOut' as const };
  });
  return { ...layout, partitions };
}
