import { describeEnd } from '../clusterChain.ts';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, FileReader } from '../filesystem.ts';
import type { Chains } from './chain.ts';
import { ROOT_REF, readSlot } from './directory.ts';
import { isDirectorySlot, slotFirstCluster, slotSizeBytes } from './slot.ts';

/**
 * Opens a file. What its chain still holds can be read even when the chain is shorter than the file.
 * @throws FilesystemError `FS_NOT_A_FILE`, `FS_NOT_FOUND`
 */
export async function openFile(chains: Chains, file: DirectoryEntry): Promise<FileReader> {
  const { volume } = chains;
  const { geometry } = volume;
  if (file.type !== 'file' || file.ref === ROOT_REF) throw new FilesystemError('FS_NOT_A_FILE', `${file.name} is not a file.`);
  const slot = await readSlot(volume, file.ref);
  if (isDirectorySlot(slot)) throw new FilesystemError('FS_NOT_A_FILE', `${file.name} is not a file.`);
  const sizeBytes = slotSizeBytes(slot);
  const clusters = Math.ceil(sizeBytes / geometry.clusterBytes);
  const chain = await chains.follow(slotFirstCluster(slot, geometry.kind === 'fat32'), clusters);
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
      if (endBytes > chain.clusterCount * geometry.clusterBytes) {
        throw new FilesystemError('FS_DAMAGED', `The cluster chain of ${file.name} is ${describeEnd(chain.end)}.`);
      }
      await chains.read(chain, offsetBytes, target);
    },
  };
}
