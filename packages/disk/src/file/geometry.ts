/** Size and sector size of an open file. The kernel answers for block devices; a regular file is a disk with 512-byte sectors. */
import type { Stats } from 'node:fs';
import { type FileHandle, readFile } from 'node:fs/promises';
import { DiskError } from '../errors.ts';
import { type BlockGeometry, libc } from './libc.ts';

export interface Geometry extends BlockGeometry {
  readonly kind: 'file' | 'block';
}

/** sysfs counts every device in units of 512 bytes, whatever its sectors are. */
const SYSFS_UNIT_BYTES = 512;

/** @throws DiskError `DISK_WRONG_KIND` when it is neither a regular file nor a block device */
export function kindOf(path: string, stat: Stats): Geometry['kind'] {
  if (stat.isFile()) return 'file';
  if (stat.isBlockDevice()) return 'block';
  throw new DiskError('DISK_WRONG_KIND', `${path} is neither a regular file nor a disk`);
}

/** @throws DiskError `DISK_WRONG_KIND`, `DISK_READ_FAILED` when neither sysfs nor the device itself tells its size */
export async function findGeometry(path: string, handle: FileHandle): Promise<Geometry> {
  const stat = await handle.stat();
  const kind = kindOf(path, stat);
  if (kind === 'file') return { kind, sizeBytes: stat.size, sectorBytes: 512, readOnly: false };
  // Where /sys is not mounted (some containers), the device itself is asked.
  const geometry = (await geometryFromSysfs(stat.rdev)) ?? (await libc()).blockGeometry(handle.fd);
  if (geometry === null) throw new DiskError('DISK_READ_FAILED', `the size of ${path} is not known: sysfs does not tell it`);
  return { kind, ...geometry };
}

/** `makedev` of glibc, undone: `major:minor`. */
export function deviceNumber(rdev: number): string {
  const device = BigInt(rdev);
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn);
  return `${major}:${minor}`;
}

export async function geometryFromSysfs(rdev: number): Promise<BlockGeometry | null> {
  const folder = `/sys/dev/block/${deviceNumber(rdev)}`;
  const sectors = await readNumber(`${folder}/size`);
  // A partition has no queue of its own; its disk, one folder up, has.
  const sectorBytes =
    (await readNumber(`${folder}/queue/logical_block_size`)) ?? (await readNumber(`${folder}/../queue/logical_block_size`));
  if (sectors === null || sectorBytes === null) return null;
  return { sizeBytes: sectors * SYSFS_UNIT_BYTES, sectorBytes, readOnly: (await readNumber(`${folder}/ro`)) === 1 };
}

async function readNumber(path: string): Promise<number | null> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return /^\d+$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}
