import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, FileReader } from '../filesystem.ts';
import type { Chain, Chains } from './chain.ts';
import { describeEnd, ROOT_REF, readSlot } from './directory.ts';
import { isDirectorySlot, slotFirstCluster, slotSizeBytes } from './slot.ts';
import { clusterOffset } from './volume.ts';

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
        const why = chain.end === 'whole' ? 'too short' : describeEnd(chain.end);
        throw new FilesystemError('FS_DAMAGED', `The cluster chain of ${file.name} is ${why}.`);
      }
      await readRuns(chains, chain, { offsetBytes, target });
    },
  };
}

async function readRuns(chains: Chains, chain: Chain, into: { offsetBytes: number; target: Uint8Array }): Promise<void> {
  const { volume } = chains;
  const { clusterBytes } = volume.geometry;
  const { offsetBytes, target } = into;
  let run = runOf(chain, Math.floor(offsetBytes / clusterBytes));
  for (let done = 0; done < target.length; run += 1) {
    const [at, start] = [chain.at[run], chain.start[run]];
    if (at === undefined || start === undefined)
      throw new FilesystemError('FS_DAMAGED', 'The cluster chain of a file is too short.');
    const runEndBytes = (chain.at[run + 1] ?? chain.clusterCount) * clusterBytes;
    const intoRunBytes = offsetBytes + done - at * clusterBytes;
    const length = Math.min(target.length - done, runEndBytes - offsetBytes - done);
    await volume.device.read(clusterOffset(volume, start) + intoRunBytes, target.subarray(done, done + length));
    done += length;
  }
}

/** The run that holds a file's cluster: the last one that begins at or before it. */
function runOf(chain: Chain, fileCluster: number): number {
  let [low, high] = [0, chain.at.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((chain.at[middle] ?? 0) <= fileCluster) low = middle;
    else high = middle - 1;
  }
  return low;
}
