/**
 * [F19] Space set aside in a directory store, so that a vault on a full disk can still be made smaller: saying that a point was removed
 * and what is to be swept takes a few objects, and without room for them nothing could ever be removed.
 * Filled with noise: a file system that compresses would keep no room for zeros.
 */
import { randomFillSync } from 'node:crypto';
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { FileCalls } from './fileCalls.ts';
import { isFull } from './fileFailure.ts';

export const reserveName = 'reserve';

const atLeastBytes = 1 << 20;
const atMostBytes = 64 << 20;
const pieceBytes = 1 << 20;
/** Blocks of the file and of the folder its name is in. Little, so that a small backup to a full disk does not live on it. */
const besidesBytes = 8 << 10;

/** Objects that make a vault smaller, and the session of the run that writes them. */
export function mayUseReserve(name: string): boolean {
  return name.startsWith('gc/') || name.startsWith('sessions/');
}

/** A run that ended well, or a sweep: the moment to fill up what was used. */
export function mayFillReserve(name: string): boolean {
  return name.startsWith('points/') || /^gc\/\d+-swept$/.test(name);
}

export class Reserve {
  private readonly files: FileCalls;
  private readonly root: string;

  constructor(files: FileCalls, root: string) {
    this.files = files;
    this.root = root;
  }

  private get path(): string {
    return join(this.root, 'tmp', reserveName);
  }

  /** Gives back room for `bytes` more; false when nothing is set aside any more. */
  async give(bytes: number): Promise<boolean> {
    const size = (await this.files.stat(this.path).catch(() => null))?.size ?? 0;
    if (size === 0) return false;
    const left = Math.max(0, size - bytes - besidesBytes);
    try {
      const file = await this.files.open(this.path, constants.O_RDWR);
      try {
        await file.truncate(left);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch {
      // A file system that copies on write may have no room even for that.
      await this.files.unlink(this.path).catch(() => {});
    }
    return true;
  }

  /** Sets aside what sweeping this vault may take, or as much of it as there is room for. Never fails: the vault is as good without. */
  async fill(): Promise<void> {
    const size = (await this.files.stat(this.path).catch(() => null))?.size ?? 0;
    const wanted = await this.wantedBytes().catch(() => 0);
    if (size >= wanted) return;
    const file = await this.files.open(this.path, constants.O_RDWR | constants.O_CREAT, 0o600).catch(() => null);
    if (file === null) return;
    const noise = randomFillSync(Buffer.allocUnsafe(Math.min(pieceBytes, wanted)));
    let end = size;
    try {
      while (end < wanted) end += (await file.write(noise, 0, Math.min(noise.length, wanted - end), end)).bytesWritten;
      await file.sync();
    } catch (cause) {
      // What the file system took without having room for it would not be there when needed.
      if (isFull(cause)) await file.truncate(Math.max(size, end - besidesBytes)).catch(() => {});
    } finally {
      await file.close().catch(() => {});
    }
  }

  /** Of a pack the index tells some kilobytes; a sweep says its name twice (134 bytes). At most a hundredth of the file system. */
  private async wantedBytes(): Promise<number> {
    let indexBytes = 0;
    const folder = join(this.root, 'index');
    for (const epoch of await this.files.readdir(folder)) {
      if (!epoch.isDirectory()) continue;
      for (const { name } of await this.files.readdir(join(folder, epoch.name))) {
        indexBytes += (await this.files.stat(join(folder, epoch.name, name)).catch(() => null))?.size ?? 0;
      }
    }
    const share = Math.floor((await this.files.sizeOf(this.root)) / 100);
    return Math.min(share, Math.max(atLeastBytes, Math.min(atMostBytes, indexBytes / 8)));
  }
}
