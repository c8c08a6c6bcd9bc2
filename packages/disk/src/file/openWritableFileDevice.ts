import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { WritableBlockDevice } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';
import { checkRange } from '../range.ts';
import type { Geometry } from './geometry.ts';
import { libc } from './libc.ts';
import { type OpenFile, openChecked, readSide } from './openFileDevice.ts';
import { openFailed, writeFailed } from './systemErrors.ts';

const ZEROS = Buffer.alloc(1 << 20);

/**
 * Opens a regular file or a block device for reading and writing. A block device is opened exclusively: the kernel refuses one
 * that is mounted, or held by LVM, RAID, device-mapper or another exclusive opener. The size never changes while it is open.
 *
 * @param options.createSizeBytes creates a sparse regular file of this size when nothing is at `path`; an existing one is
 *   opened as it is, never grown or cut
 * @param options.sectorBytes what a regular file is to count as (512); block devices know their own
 * @throws DiskError `DISK_BUSY`, `DISK_READ_ONLY`, `DISK_FULL` and what `openFileDevice` throws
 */
export async function openWritableFileDevice(
  path: string,
  options: { createSizeBytes?: number; sectorBytes?: number } = {},
): Promise<WritableBlockDevice> {
  if (options.createSizeBytes !== undefined) await createSparse(path, options.createSizeBytes);
  const { handle, geometry } = await openChecked(path, constants.O_RDWR);
  if (geometry.readOnly) {
    await handle.close();
    throw new DiskError('DISK_READ_ONLY', `${path} cannot be written: the medium is read-only`);
  }
  const sectorBytes = geometry.kind === 'file' ? (options.sectorBytes ?? geometry.sectorBytes) : geometry.sectorBytes;
  return writeSide({ handle, path, sizeBytes: geometry.sizeBytes, sectorBytes }, geometry.kind);
}

async function createSparse(path: string, sizeBytes: number): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    throw openFailed(path, cause);
  }
  try {
    await handle.truncate(sizeBytes);
  } catch (cause) {
    // An empty file left here would be opened as an empty disk next time.
    await unlink(path);
    throw writeFailed(path, sizeBytes, cause);
  } finally {
    await handle.close();
  }
}

function writeSide(file: OpenFile, kind: Geometry['kind']): WritableBlockDevice {
  const { handle, path, sizeBytes, sectorBytes } = file;
  const writeAll = async (offsetBytes: number, source: Uint8Array) => {
    let done = 0;
    while (done < source.length) {
      const { bytesWritten } = await handle
        .write(source, done, source.length - done, offsetBytes + done)
        .catch((cause: unknown) => {
          throw writeFailed(path, offsetBytes + done, cause);
        });
      if (bytesWritten === 0) throw writeFailed(path, offsetBytes + done, new Error('nothing was written'));
      done += bytesWritten;
    }
  };
  const writeZeros = async (startBytes: number, endBytes: number) => {
    for (let at = startBytes; at < endBytes; at += ZEROS.length) {
      await writeAll(at, ZEROS.subarray(0, Math.min(ZEROS.length, endBytes - at)));
    }
  };
  return {
    ...readSide(file),
    async write(offsetBytes, source) {
      checkRange(sizeBytes, offsetBytes, source.length);
      await writeAll(offsetBytes, source);
    },
    async zero(offsetBytes, lengthBytes) {
      checkRange(sizeBytes, offsetBytes, lengthBytes);
      const endBytes = offsetBytes + lengthBytes;
      // Drives zero whole sectors; the ragged ends are written. A hole in a file may begin anywhere.
      const unitBytes = kind === 'block' ? sectorBytes : 1;
      const innerStart = Math.ceil(offsetBytes / unitBytes) * unitBytes;
      const innerEnd = Math.floor(endBytes / unitBytes) * unitBytes;
      if (innerEnd <= innerStart) return writeZeros(offsetBytes, endBytes);
      const { zeroFile, zeroBlock } = await libc();
      const call = kind === 'block' ? zeroBlock : zeroFile;
      await writeZeros(offsetBytes, innerStart);
      if (!(await call(handle.fd, innerStart, innerEnd - innerStart))) await writeZeros(innerStart, innerEnd);
      await writeZeros(innerEnd, endBytes);
    },
    async flush() {
      // fdatasync also flushes a drive's write cache, and a file's size when it changed.
      await handle.datasync().catch((cause: unknown) => {
        throw writeFailed(path, 0, cause);
      });
    },
  };
}
