/** Writes one file of an image into a held folder: under a name of its own until it is whole, then under its real one. */
import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { ExploreEntry, ExploreFile } from '@diskfleet/engine';
import { AgentError } from '../errors.ts';
import type { HeldFolder } from './heldFolder.ts';
import { numberedName, safeMode } from './safeName.ts';

export type OverwriteRule = 'never' | 'ifNewer' | 'always' | 'keepBoth';

export interface FileToWrite {
  readonly folder: HeldFolder;
  readonly name: string;
  readonly entry: ExploreEntry;
  readonly open: () => Promise<ExploreFile>;
  readonly overwrite: OverwriteRule;
  /** Asked before every piece: throws when cancelled or when the cap on bytes is reached. */
  readonly onBytes: (count: number) => void;
}

/** `skipped` says why, in words; null when the file was written. */
export async function writeFile(file: FileToWrite): Promise<{ skipped: string | null }> {
  const { folder, name, entry, overwrite } = file;
  const there = await folder.look(name);
  const skipped = there === null ? null : whyKept(there, entry, overwrite);
  if (skipped !== null) return { skipped };
  const temporary = `.diskfleet-${randomBytes(9).toString('hex')}`;
  const content = await file.open();
  const handle = await folder.create(temporary);
  try {
    await copy(content, handle, file.onBytes).finally(() => handle.close());
    if (entry.modifiedAtMs !== null && isFileTime(entry.modifiedAtMs)) await folder.setTimes(temporary, entry.modifiedAtMs);
    return await settle(file, temporary);
  } catch (error) {
    await folder.remove(temporary).catch(() => {});
    throw error;
  }

  async function copy(source: ExploreFile, target: FileHandle, onBytes: (count: number) => void): Promise<void> {
    let at = 0;
    for await (const chunk of source.stream()) {
      onBytes(chunk.length);
      if (at + chunk.length > source.sizeBytes)
        throw new AgentError('RESTORE_PATH_UNSAFE', `${name} is longer than its size says`);
      if (!isZero(chunk)) await writeAll(target, chunk, at);
      at += chunk.length;
    }
    // Zeros were left out: they become holes, and the last of them still counts.
    await target.truncate(at);
    await target.chmod(safeMode(entry.mode, 0o644));
  }
}

async function settle({ folder, name, overwrite }: FileToWrite, temporary: string): Promise<{ skipped: string | null }> {
  if (overwrite === 'always' || overwrite === 'ifNewer') {
    await folder.replace(temporary, name);
    return { skipped: null };
  }
  if (await folder.settle(temporary, name)) return { skipped: null };
  if (overwrite === 'keepBoth') {
    for (let count = 1; count < 10_000; count += 1) {
      if (await folder.settle(temporary, numberedName(name, count))) return { skipped: null };
    }
  }
  await folder.remove(temporary);
  return { skipped: 'a file of that name is there' };
}

interface There {
  isDirectory(): boolean;
  isFile(): boolean;
  readonly mtimeMs: number;
}

function whyKept(there: There, entry: ExploreEntry, rule: OverwriteRule): string | null {
  if (rule === 'keepBoth') return null;
  if (there.isDirectory()) return 'a folder of that name is there';
  if (rule === 'never') return 'a file of that name is there';
  if (rule === 'always') return null;
  const newer = entry.modifiedAtMs !== null && (!there.isFile() || entry.modifiedAtMs > there.mtimeMs);
  return newer ? null : 'the one there is as new or newer';
}

async function writeAll(target: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    at += (await target.write(chunk, at, chunk.length - at, position + at)).bytesWritten;
  }
}

const zeros = Buffer.alloc(1 << 16);

function isZero(chunk: Uint8Array): boolean {
  for (let at = 0; at < chunk.length; at += zeros.length) {
    const piece = chunk.subarray(at, at + zeros.length);
    if (Buffer.compare(piece, zeros.subarray(0, piece.length)) !== 0) return false;
  }
  return true;
}

/** What the kernel's file times can hold on every filesystem we may write to. */
export function isFileTime(ms: number): boolean {
  return Number.isFinite(ms) && Math.abs(ms) < 2 ** 43;
}
