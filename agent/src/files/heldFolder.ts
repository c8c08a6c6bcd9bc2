/**
 * A folder held open, and names looked up in it and nowhere else. Every path given to the kernel is `/proc/self/fd/<n>/<name>`:
 * the folder is the very one that was opened, however its path is renamed or replaced meanwhile, and the one name behind it is
 * opened with O_NOFOLLOW. So nothing planted on the way, before or during a restore, is ever followed.
 */
import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, link, lstat, lutimes, mkdir, open, rename, symlink, unlink } from 'node:fs/promises';
import { AgentError, codeOf } from '../errors.ts';
import { whyUnsafeName } from './safeName.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

export class HeldFolder {
  private readonly handle: FileHandle;
  private constructor(handle: FileHandle) {
    this.handle = handle;
  }

  /**
   * Walks an absolute path from `/`, holding each folder, and makes what is missing. A link anywhere on the way is refused.
   * @throws AgentError `DESTINATION_UNSAFE`, `DISK_ACCESS_DENIED`
   */
  static async walk(path: string): Promise<HeldFolder> {
    if (process.platform !== 'linux') throw new AgentError('PLATFORM_UNSUPPORTED', 'files can be put back on Linux only');
    if (!path.startsWith('/')) throw new AgentError('DESTINATION_UNSAFE', `${path} is not an absolute path`);
    let folder = new HeldFolder(await open('/', O_RDONLY | O_DIRECTORY));
    for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
      const parent = folder;
      try {
        folder = await parent.enter(name, 0o755);
      } catch (error) {
        throw destinationError(path, name, error);
      } finally {
        await parent.close();
      }
    }
    return folder;
  }

  /** Opens the folder `name`, making it when missing. Fails on a link or a file of that name (`ELOOP`, `ENOTDIR`). */
  async enter(name: string, mode = 0o700): Promise<HeldFolder> {
    const path = this.pathOf(name);
    await mkdir(path, { mode }).catch(unlessExists);
    return new HeldFolder(await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  }

  /** Makes a new file; fails when anything of that name exists, links included. */
  create(name: string): Promise<FileHandle> {
    return open(this.pathOf(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  /** What is there, a link being itself; null when nothing is. */
  async look(name: string): Promise<Stats | null> {
    try {
      return await lstat(this.pathOf(name));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** Gives a finished file its name, replacing what is there (a link is replaced, not followed). */
  async replace(from: string, to: string): Promise<void> {
    await rename(this.pathOf(from), this.pathOf(to));
  }

  /** Gives a finished file its name unless that is taken: false then. */
  async settle(from: string, to: string): Promise<boolean> {
    try {
      await link(this.pathOf(from), this.pathOf(to));
      await unlink(this.pathOf(from));
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EEXIST') return false;
      // FAT, exFAT and some network filesystems know no hard links.
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'EMLINK') throw error;
    }
    if ((await this.look(to)) !== null) return false;
    await this.replace(from, to);
    return true;
  }

  async makeLink(name: string, target: string): Promise<void> {
    await symlink(target, this.pathOf(name));
  }

  async remove(name: string): Promise<void> {
    await unlink(this.pathOf(name));
  }

  /** Of an entry itself, never of what a link points to. */
  async setTimes(name: string, modifiedAtMs: number): Promise<void> {
    const seconds = modifiedAtMs / 1000;
    await lutimes(this.pathOf(name), seconds, seconds);
  }

  async setOwnMode(mode: number): Promise<void> {
    await chmod(`/proc/self/fd/${this.handle.fd}`, mode);
  }

  async setOwnTimes(modifiedAtMs: number): Promise<void> {
    await this.handle.utimes(modifiedAtMs / 1000, modifiedAtMs / 1000);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  /** The only place where a name becomes a path. */
  private pathOf(name: string): string {
    const problem = whyUnsafeName(name);
    if (problem !== null) throw new AgentError('RESTORE_PATH_UNSAFE', `${JSON.stringify(name)}: ${problem}`);
    return `/proc/self/fd/${this.handle.fd}/${name}`;
  }
}

function unlessExists(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

function destinationError(path: string, name: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'ELOOP' || code === 'ENOTDIR') {
    return new AgentError('DESTINATION_UNSAFE', `"${name}" in ${path} is a link or a file, not a folder`, { cause: error });
  }
  if (code === 'RESTORE_PATH_UNSAFE')
    return new AgentError('DESTINATION_UNSAFE', `${path} leaves its own folders`, { cause: error });
  return error;
}
