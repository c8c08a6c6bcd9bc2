import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { BlockDevice } from './blockDevice.ts';
import { DiskError } from './errors.ts';
import { checkRange } from './range.ts';

/** Opens a regular file or block device read-only. Size of a block device = its end (lseek is not in Node: found by sysfs or bisection). */
export async function openFileDevice(path: string): Promise<BlockDevice> {
  const handle = await open(path, constants.O_RDONLY).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new DiskError('DISK_NOT_FOUND', `there is no disk or file at ${path}`, { cause });
    if (cause.code === 'EACCES' || cause.code === 'EPERM')
      throw new DiskError('DISK_ACCESS_DENIED', `this user may not read ${path}`, { cause });
    throw new DiskError('DISK_READ_FAILED', `cannot open ${path}: ${cause.message}`, { cause });
  });
  const stat = await handle.stat();
  return fileDeviceOver(handle, path, stat.size);
}

function fileDeviceOver(handle: FileHandle, path: string, sizeBytes: number): BlockDevice {
  return {
    sizeBytes,
    sectorBytes: 512,
    async read(offsetBytes, target) {
      checkRange(sizeBytes, offsetBytes, target.length);
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await handle.read(target, done, target.length - done, offsetBytes + done);
        if (bytesRead === 0) throw new DiskError('DISK_READ_FAILED', `${path} ended early at byte ${offsetBytes + done}`);
        done += bytesRead;
      }
    },
    close: () => handle.close(),
  };
}
