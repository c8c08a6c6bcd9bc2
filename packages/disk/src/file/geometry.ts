/** Size and sector size of what a path names. The kernel answers for block devices; a regular file is a disk with 512-byte sectors. */
import { execFile } from 'node:child_process';
import type { Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { DiskError } from '../errors.ts';

export interface Geometry {
  readonly kind: 'file' | 'block';
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly readOnly: boolean;
}

/** sysfs counts every device in units of 512 bytes, whatever its sectors are. */
const SYSFS_UNIT_BYTES = 512;

/** @throws DiskError `DISK_WRONG_KIND` when it is neither a regular file nor a block device */
export async function findGeometry(path: string, stat: Stats): Promise<Geometry> {
  if (stat.isFile()) return { kind: 'file', sizeBytes: stat.size, sectorBytes: 512, readOnly: false };
  if (stat.isBlockDevice()) return (await fromSysfs(stat.rdev)) ?? (await fromBlockdev(path));
  throw new DiskError('DISK_WRONG_KIND', `${path} is neither a regular file nor a disk`);
}

/** `makedev` of glibc, undone. */
export function deviceNumber(rdev: number): string {
  const device = BigInt(rdev);
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn);
  return `${major}:${minor}`;
}

async function fromSysfs(rdev: number): Promise<Geometry | null> {
  const folder = `/sys/dev/block/${deviceNumber(rdev)}`;
  const sectors = await readNumber(`${folder}/size`);
  // A partition has no queue of its own; its disk, one folder up, has.
  const sectorBytes =
    (await readNumber(`${folder}/queue/logical_block_size`)) ?? (await readNumber(`${folder}/../queue/logical_block_size`));
  if (sectors === null || sectorBytes === null) return null;
  return {
    kind: 'block',
    sizeBytes: sectors * SYSFS_UNIT_BYTES,
    sectorBytes,
    readOnly: (await readNumber(`${folder}/ro`)) === 1,
  };
}

async function readNumber(path: string): Promise<number | null> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return /^\d+$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** Where /sys is not mounted (some containers): util-linux asks the device itself. Also used by tests as the second opinion. */
export async function fromBlockdev(path: string): Promise<Geometry> {
  try {
    const { stdout } = await promisify(execFile)('blockdev', ['--getsize64', '--getss', '--getro', path]);
    const [sizeBytes, sectorBytes, readOnly] = stdout.trim().split('\n').map(Number);
    if (Number.isSafeInteger(sizeBytes) && sizeBytes !== undefined && sectorBytes !== undefined) {
      return { kind: 'block', sizeBytes, sectorBytes, readOnly: readOnly === 1 };
    }
  } catch (cause) {
    throw new DiskError('DISK_READ_FAILED', `the size of ${path} is not known: neither sysfs nor blockdev tells it`, { cause });
  }
  throw new DiskError('DISK_READ_FAILED', `the size of ${path} is not known: blockdev gave no number`);
}
