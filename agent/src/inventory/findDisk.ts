import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AgentError } from '../errors.ts';
import type { DiskView, Platform, PlatformDisk } from '../platform/types.ts';
import { diskOfFile, identityOfFile } from './diskFiles.ts';

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
