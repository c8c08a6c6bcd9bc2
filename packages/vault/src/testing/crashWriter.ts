/**
 * A process that makes restore points until it is killed: `node crashWriter.ts <vault folder> <name> <count>`.
 * Prints `<point id> <seed>` after each commit; the content of a point is `crashContent(seed)`.
 */
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { openChunkWriter } from '../pack/chunkWriter.ts';
import type { MapEntry } from '../types.ts';
import { openVault } from '../vault/openVault.ts';
import { beginning, diskInfo, noise, text } from './sampleVault.ts';

const chunkBytes = 16 << 10;

/** About 1.5 MiB, a third of it the same for all seeds. */
export function crashContent(seed: string): Buffer {
  return Buffer.concat([text('shared', 500_000), noise(seed, 500_000), Buffer.alloc(100_000), text(seed, 400_000)]);
}

async function run(path: string, name: string, count: number): Promise<void> {
  const vault = await openVault({ kind: 'directory', path }, { kind: 'passphrase', passphrase: 'open sesame' });
  for (let made = 0; made < count; made += 1) {
    const seed = `${name}-${made}`;
    const content = crashContent(seed);
    const point = await vault.beginPoint(beginning({ machineId: name, now: () => new Date() }));
    const writer = await openChunkWriter({ ...point.seed, packTargetBytes: 256 << 10 });
    const entries: MapEntry[] = [];
    for (let offsetBytes = 0; offsetBytes < content.length; offsetBytes += chunkBytes) {
      const plain = content.subarray(offsetBytes, offsetBytes + chunkBytes);
      const chunkId = Buffer.alloc(32);
      writer.add(plain, chunkId);
      if (writer.drainNeeded) await writer.drain();
      entries.push({ kind: 'data', offsetBytes, lengthBytes: plain.length, chunkId, chunkOffsetBytes: 0 });
      if (offsetBytes % (chunkBytes * 32) === 0) await point.checkpoint(writer.takeSealed());
    }
    const packs = await writer.finish();
    const { mapRootId } = await point.writeMap(entries, content.length);
    const totals = { sizeBytes: content.length, usedBytes: content.length, newBytes: content.length };
    const header = await point.commit({ packs, disks: [diskInfo(mapRootId, content.length)], warnings: [], totals });
    writeSync(1, `${header.id} ${seed}\n`);
  }
  await vault.close();
}

const [, script, path, name, count] = process.argv;
if (script !== undefined && import.meta.url === pathToFileURL(script).href)
  await run(path ?? '', name ?? 'writer', Number(count ?? 1));
