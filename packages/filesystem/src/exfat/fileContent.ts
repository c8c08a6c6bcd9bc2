import { describeEnd } from '../clusterChain.ts';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, FileReader } from '../filesystem.ts';
import { contentOf, rootEntry } from './directory.ts';
import type { ExfatVolume } from './volume.ts';

/**
 * Opens a file. What its clusters still hold can be read even when there are fewer of them than the file needs. Behind its valid
 * bytes it reads as zero, whatever its clusters hold.
 * @throws FilesystemError `FS_NOT_A_FILE`, `FS_NOT_FOUND`
 */
export async function openFile(volume: ExfatVolume, file: DirectoryEntry): Promise<FileReader> {
  if (file.type !== 'file' || file.ref === rootEntry.ref) throw notAFile(file);
  const { type, firstCluster, contiguous, sizeBytes, validBytes } = contentOf(file.ref);
  if (type !== 'file') throw notAFile(file);
  const chain = await volume.locate(firstCluster, validBytes, contiguous);
  const heldBytes = chain.clusterCount * volume.geometry.clusterBytes;
  return {
    sizeBytes,
    async read(offsetBytes, target) {
      const endBytes = offsetBytes + target.length;
      if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0 || endBytes > sizeBytes) {
        throw new FilesystemError(
          'FS_OUT_OF_RANGE',
          `bytes ${offsetBytes}+${target.length} lie outside a file of ${sizeBytes} bytes`,
        );
      }
      const stored = Math.max(0, Math.min(endBytes, validBytes) - offsetBytes);
      if (stored > 0 && offsetBytes + stored > heldBytes) {
        throw new FilesystemError('FS_DAMAGED', `The cluster chain of ${file.name} is ${describeEnd(chain.end)}.`);
      }
      await volume.read(chain, offsetBytes, target.subarray(0, stored));
      target.fill(0, stored);
    },
  };
}

function notAFile({ name }: DirectoryEntry): FilesystemError {
  return new FilesystemError('FS_NOT_A_FILE', `${name} is not a file.`);
}
