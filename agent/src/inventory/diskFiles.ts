/** Regular files offered as disks: those of the disk-files folder and those named in the settings. */
import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DiskView, PlatformDisk } from '../platform/types.ts';
import type { Settings } from './settings.ts';

const diskFileName = /\.(img|raw|bin|disk)$/i;
const MIN_BYTES = 1 << 20;

export async function listDiskFiles(settings: Settings, view: DiskView): Promise<PlatformDisk[]> {
  const taken = new Set(view.disks.map((disk) => disk.path));
  const disks: PlatformDisk[] = [];
  for (const candidate of await candidates(settings)) {
    const disk = await diskOfFile(candidate, view);
    if (disk === null || disk.sizeBytes < MIN_BYTES || taken.has(disk.path)) continue;
    taken.add(disk.path);
    disks.push(disk);
  }
  return disks;
}

/** A regular file as a disk, or null when there is none at `path`. */
export async function diskOfFile(path: string, view: DiskView): Promise<PlatformDisk | null> {
  const real = await realpath(path).catch(() => null);
  const found = real === null ? null : await stat(real).catch(() => null);
  if (real === null || !found?.isFile()) return null;
  const { key, serial } = identityOfFile(real);
  const use = await view.useOf(real);
  return {
    key,
    path: real,
    name: basename(real),
    model: 'Disk file',
    serial,
    sizeBytes: found.size,
    sectorBytes: 512,
    bus: 'file',
    removable: false,
    readOnly: (found.mode & 0o222) === 0,
    use,
  };
}

/** Key and serial of the file at a real path: the same on the server, so that both plan alike for a file not yet made. */
export function identityOfFile(realPath: string): { key: string; serial: string } {
  const hash = createHash('sha256').update(realPath).digest('hex');
  return { key: `file:${hash.slice(0, 16)}`, serial: `FILE-${hash.slice(0, 8).toUpperCase()}` };
}

async function candidates({ diskFilesFolder, diskFiles }: Settings): Promise<string[]> {
  if (diskFilesFolder === null) return [...diskFiles];
  const names = await readdir(diskFilesFolder).catch(() => []);
  const ours = names.filter((name) => diskFileName.test(name)).sort();
  return [...ours.map((name) => join(diskFilesFolder, name)), ...diskFiles];
}
