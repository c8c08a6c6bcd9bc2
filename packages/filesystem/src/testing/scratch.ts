/**
 * Golden images are made by the real tools (mkfs, the kernel, ntfs-3g, mtools) in a temporary folder, never kept in the repository:
 * what a tool of today writes is what a reader has to understand. Everything attached or mounted is undone by `dispose`, in
 * reverse order, even when a test fails.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, test } from 'vitest';

const executeFile = promisify(execFile);
// mkfs and friends live in sbin, which an ordinary user's PATH lacks.
const toolPath = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

/** Runs a tool and returns what it printed. @throws with the tool's own error output when it fails. */
export async function runTool(tool: string, args: readonly string[], options: { input?: string } = {}): Promise<string> {
  const running = executeFile(tool, [...args], {
    env: { ...process.env, PATH: toolPath, LC_ALL: 'C.UTF-8', TERM: 'dumb' },
    maxBuffer: 64 << 20,
  });
  // A tool that ends without reading its input is no failure.
  running.child.stdin?.on('error', () => {});
  running.child.stdin?.end(options.input ?? '');
  const { stdout } = await running;
  return stdout;
}

/** Folder of one fixture plus the loop devices and mounts made in it. */
export interface Scratch {
  readonly folder: string;
  path(name: string): string;
  /** A sparse file of `sizeBytes`; returns its path. */
  sparseFile(name: string, sizeBytes: number): Promise<string>;
  /** Attaches a file (or a part of it) as a loop device; returns e.g. `/dev/loop3`. Needs root. */
  attach(file: string, part?: { offsetBytes: number; lengthBytes: number }, sectorBytes?: number): Promise<string>;
  /** Mounts a device on a fresh folder and returns the folder. `type` e.g. `ext4` or `ntfs-3g`. Needs root. */
  mount(device: string, type: string, options?: string): Promise<string>;
  unmount(folder: string): Promise<void>;
  detach(device: string): Promise<void>;
  dispose(): Promise<void>;
}

export async function makeScratch(): Promise<Scratch> {
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-fs-'));
  const undo = new Map<string, () => Promise<unknown>>();
  let mounts = 0;
  const undoOne = async (key: string) => {
    const action = undo.get(key);
    if (!action) return;
    await action();
    undo.delete(key);
  };
  return {
    folder,
    path: (name) => join(folder, name),
    async sparseFile(name, sizeBytes) {
      const path = join(folder, name);
      await writeFile(path, '');
      await truncate(path, sizeBytes);
      return path;
    },
    async attach(file, part, sectorBytes = 512) {
      const window = part ? ['-o', String(part.offsetBytes), '--sizelimit', String(part.lengthBytes)] : [];
      const device = (await runTool('losetup', ['-f', '--show', '-b', String(sectorBytes), ...window, file])).trim();
      undo.set(device, () => runTool('losetup', ['-d', device]));
      return device;
    },
    async mount(device, type, options) {
      const target = join(folder, `mount${mounts++}`);
      await mkdir(target);
      await runTool('mount', ['-t', type, ...(options ? ['-o', options] : []), device, target]);
      undo.set(target, () => runTool('umount', [target]));
      return target;
    },
    unmount: undoOne,
    detach: undoOne,
    async dispose() {
      for (const key of [...undo.keys()].reverse()) await undoOne(key);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Needs {
  readonly tools?: readonly string[];
  /** Loop devices and mounts are root's. */
  readonly root?: boolean;
}

/** What of `needs` this machine lacks, by name; empty when all is there. */
export function lacking(needs: Needs): string[] {
  const missing = (needs.tools ?? []).filter((tool) => !toolPath.split(':').some((folder) => isExecutable(join(folder, tool))));
  return needs.root && process.getuid?.() !== 0 ? [...missing, 'root'] : missing;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `describe` for tests that need tools or root: named as skipped where something is missing, a failure in CI. */
export function describeNeeding(needs: Needs, title: string, body: () => void): void {
  const missing = lacking(needs);
  if (missing.length === 0) {
    describe(title, body);
  } else if (process.env.CI) {
    test(title, () => {
      throw new Error(`this machine lacks ${missing.join(', ')}`);
    });
  } else {
    describe.skip(`${title} (skipped: this machine lacks ${missing.join(', ')})`, body);
  }
}
