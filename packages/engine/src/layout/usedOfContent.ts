import { type Extent, mergeExtents } from '@diskfleet/disk';
import { reasonOf, type VolumeContent } from './volumeContent.ts';

/**
 * What of a volume's bytes is worth keeping, what lies behind its filesystem included; null: all of them.
 * @param warn gets a clause for everything that had to be taken whole and need not have been
 */
export async function usedOfContent(
  { filesystem, recognised, rival }: VolumeContent,
  sizeBytes: number,
  warn: (text: string) => void,
): Promise<readonly Extent[] | null> {
  const withTail = (extents: readonly Extent[], totalBytes: number) =>
    mergeExtents([...extents, { offsetBytes: totalBytes, lengthBytes: sizeBytes - totalBytes }]);
  if (filesystem === null) {
    return recognised?.usedExtents ? withTail(recognised.usedExtents, recognised.totalBytes) : null;
  }
  const { kind, totalBytes } = filesystem.info;
  if (rival !== null) {
    warn(`it carries the marks of ${kind} and of ${rival}; one is left from earlier use, so all of it is taken`);
    return null;
  }
  try {
    const map = await filesystem.usedMap();
    for (const warning of map.warnings) warn(warning);
    if (totalBytes <= sizeBytes) return withTail(map.extents, totalBytes);
    warn(`its filesystem claims ${totalBytes} bytes, more than the ${sizeBytes} there are; all of it is taken`);
  } catch (error) {
    warn(`its map of used blocks cannot be read, so all of it is taken: ${reasonOf(error)}`);
  }
  return null;
}
