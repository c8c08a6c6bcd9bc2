/**
 * Where a PC remembers the maps of its last points, one file a series. A cache: it holds ids and places, no content, and the engine
 * believes nothing in it that does not fit; when it is gone the next backup reads everything.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupMemory } from '@diskfleet/engine';
import { codeOf } from '../errors.ts';
import { writeFileDurably } from './durableFile.ts';

/** A series nobody backed up for so long is not gone on with. */
const FORGET_AFTER_MS = 180 * 86_400_000;
/** What a run that was killed left behind. */
const UNFINISHED_MS = 7 * 86_400_000;
/** Maps of a disk of 16 TB full of small chunks; a larger file is none of ours. */
const LARGEST_BYTES = 4 * 1024 ** 3;

export interface Series {
  readonly vaultId: string;
  readonly machineId: string;
  readonly kind: string;
  readonly source: string;
}

/** @param agentFolder the agent's own folder; a folder in it is made when there is something to remember */
export function backupMemory(agentFolder: string, { vaultId, machineId, kind, source }: Series): BackupMemory {
  const folder = join(agentFolder, 'memory');
  const name = createHash('sha256').update([vaultId, machineId, kind, source].join('\0')).digest('hex');
  const path = join(folder, `${name}.map`);
  return {
    sumsPath: join(folder, `${name}.sums`),
    async load() {
      try {
        return (await stat(path)).size > LARGEST_BYTES ? null : await readFile(path);
      } catch (error) {
        // Whatever keeps us from it: without it the backup takes longer, that is all.
        if (codeOf(error) !== null) return null;
        throw error;
      }
    },
    async save(bytes) {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFileDurably(path, bytes, 0o600);
        await forgetOld(folder);
      } catch (error) {
        // A half-known memory is worse than none.
        await rm(path, { force: true }).catch(() => {});
        if (codeOf(error) === null) throw error;
      }
    },
  };
}

async function forgetOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    const keptMs = name.endsWith('.new') ? UNFINISHED_MS : FORGET_AFTER_MS;
    if (Date.now() - mtimeMs > keptMs) await rm(path, { force: true });
  }
}
