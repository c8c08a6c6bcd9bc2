import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AgentError } from '../errors.ts';
import type { DiskView, Platform, PlatformDisk } from '../platform/types.ts';
import { diskOfFile, identityOfFile } from './diskFiles.ts';
import { describeDisks } from './takeInventory.ts';

/**
 * The disk or regular file a person names by its path (links are followed).
 * @throws AgentError `DISK_NOT_FOUND`, `DISK_WRONG_KIND`
 */
export async function findDisk(platform: Platform, path: string): Promise<PlatformDisk> {
  const real = await realpath(path).catch(() => null);
  if (real === null) throw new AgentError('DISK_NOT_FOUND', `${path} does not exist`);
  const view = await platform.look();
  const known = view.disks.find((disk) => disk.path === real) ?? (await diskOfFile(real, view));
  return known ?? unlisted(real, view);
}

/**
 * The disk and number behind the device of a partition (`/dev/sda3`), or null when `path` is none.
 * @throws AgentError `DISK_NOT_FOUND`, `PARTITION_NOT_FOUND`
 */
export async function findPartition(platform: Platform, path: string): Promise<{ disk: PlatformDisk; number: number } | null> {
  const real = await realpath(path).catch(() => null);
  if (real === null) throw new AgentError('DISK_NOT_FOUND', `${path} does not exist`);
  const at = (await platform.look()).partitionAt?.(real) ?? null;
  if (at === null) return null;
  const disk = await findDisk(platform, at.diskPath);
  const [described] = await describeDisks([disk]);
  const found = described?.partitions.find(({ startBytes }) => startBytes === at.startBytes);
  if (found === undefined)
    throw new AgentError('PARTITION_NOT_FOUND', `the partition table of ${disk.name} does not know ${path}`);
  return { disk, number: found.number };
}

/** A partition, an LVM volume or a disk this user may not read: the engine says what can be done with it. */
async function unlisted(path: string, view: DiskView): Promise<PlatformDisk> {
  const found = await stat(path);
  if (!found.isBlockDevice()) throw new AgentError('DISK_WRONG_KIND', `${path} is neither a disk nor a regular file`);
  const use = await view.useOf(path);
  const name = basename(path);
  const facts = { model: '', serial: '', bus: 'other', removable: false, readOnly: false };
  return { key: `dev:${name}`, path, name, sizeBytes: 0, sectorBytes: 512, ...facts, use };
}

/** The place a restore is to write: an existing disk or file, or a file to be made. */
export interface TargetPlace {
  readonly path: string;
  readonly name: string;
  readonly serial: string;
}

/** @throws AgentError `DISK_NOT_FOUND` when not even the folder exists */
export async function findTarget(platform: Platform, path: string): Promise<TargetPlace> {
  const there = await realpath(path).catch(() => null);
  if (there !== null) {
    const { path: real, name, serial } = await findDisk(platform, there);
    return { path: real, name, serial };
  }
  if (resolve(path).startsWith('/dev/')) throw new AgentError('DISK_NOT_FOUND', `${path} does not exist`);
  const folder = await realpath(dirname(resolve(path))).catch(() => null);
  if (folder === null) throw new AgentError('DISK_NOT_FOUND', `the folder of ${path} does not exist`);
  const real = join(folder, basename(path));
  return { path: real, name: basename(real), serial: identityOfFile(real).serial };
}
