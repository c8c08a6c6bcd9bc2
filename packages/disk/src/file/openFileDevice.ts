import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { BlockDevice } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';
import { checkRange } from '../range.ts';
import { findGeometry, type Geometry, kindOf } from './geometry.ts';
import { openFailed, readFailed } from './systemErrors.ts';
import { uncachedDevice } from './uncachedDevice.ts';

/**
 * Opens a regular file or a block device read-only. Links are followed, so `/dev/disk/by-id/…` works.
 *
 * @param options.sectorBytes what a regular file is to count as (512); block devices know their own
 * @param options.uncached a block device is read past the page cache: needed where its filesystems are mounted
 * @throws DiskError `DISK_NOT_FOUND`, `DISK_ACCESS_DENIED`, `DISK_WRONG_KIND` (folder, socket, character device…), `DISK_READ_FAILED`
 */
export async function openFileDevice(
  path: string,
  options: { sectorBytes?: number; uncached?: boolean } = {},
): Promise<BlockDevice> {
  const { handle, geometry } = await openChecked(path, constants.O_RDONLY);
  const sectorBytes = geometry.kind === 'file' ? (options.sectorBytes ?? geometry.sectorBytes) : geometry.sectorBytes;
  const { sizeBytes, kind } = geometry;
  if (options.uncached !== true || kind === 'file' || constants.O_DIRECT === undefined) {
    return readSide({ handle, path, sizeBytes, sectorBytes });
  }
  await handle.close();
  const direct = await openChecked(path, constants.O_RDONLY | constants.O_DIRECT);
  return uncachedDevice(readSide({ handle: direct.handle, path, sizeBytes, sectorBytes }));
}

/** Looks before it opens: opening a FIFO would wait for its other end, opening a tape would rewind it. */
export async function openChecked(path: string, flags: number): Promise<{ handle: FileHandle; geometry: Geometry }> {
  let handle: FileHandle | undefined;
  try {
    const found = await stat(path);
    // O_EXCL without O_CREAT: the kernel refuses a block device that is mounted or held by another driver.
    const exclusive = kindOf(path, found) === 'block' && (flags & constants.O_RDWR) !== 0 ? constants.O_EXCL : 0;
    handle = await open(path, flags | exclusive);
    return { handle, geometry: await findGeometry(path, handle) };
  } catch (cause) {
    await handle?.close();
    throw cause instanceof DiskError ? cause : openFailed(path, cause);
  }
}

export interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
}

/** The reading half of a file device; the writable one builds on it. */
export function readSide({ handle, path, sizeBytes, sectorBytes }: OpenFile): BlockDevice {
  let closing: Promise<void> | undefined;
  return {
    sizeBytes,
    sectorBytes,
    async read(offsetBytes, target) {
      checkRange(sizeBytes, offsetBytes, target.length);
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await handle
          .read(target, done, target.length - done, offsetBytes + done)
          .catch((cause: unknown) => {
            throw readFailed(path, offsetBytes + done, cause);
          });
        if (bytesRead === 0) throw new DiskError('DISK_READ_FAILED', `${path} ended early at byte ${offsetBytes + done}`);
        done += bytesRead;
      }
    },
    close() {
      closing ??= handle.close();
      return closing;
    },
  };
}
