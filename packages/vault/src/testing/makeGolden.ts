/**
 * Made the vaults in `golden/` once, by the code that first shipped the format: `node src/testing/makeGolden.ts <new folder>`.
 * They are never made again: every later version must open these very bytes.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '../stores/openStore.ts';
import type { IdAlgorithm, Unlock } from '../types.ts';
import { createSample, noise, text, writePoint } from './sampleVault.ts';

const [, , folder] = process.argv;
if (folder === undefined) throw new Error('name the folder to make');

const contents = [
  Buffer.concat([text('golden one', 9000), Buffer.alloc(5000), noise('golden', 3333)]),
  Buffer.concat([text('golden two', 9000), Buffer.alloc(5000), noise('golden', 3333)]),
];

const kinds: [string, Unlock, IdAlgorithm][] = [
  ['encrypted', { kind: 'passphrase', passphrase: 'golden vault of format 1' }, 'blake3'],
  ['plain', { kind: 'none' }, 'hmac-sha256'],
];

for (const [name, encryption, idAlgorithm] of kinds) {
  const config = { kind: 'directory' as const, path: join(folder, name) };
  const store = await openStore(config, { create: true });
  const vault = await createSample(store, { encryption, idAlgorithm, config });
  const points = [];
  for (const [at, content] of contents.entries()) {
    const begin = {
      now: () => new Date(Date.UTC(2026, 10, 22 + at)),
      method: at === 0 ? ('full' as const) : ('incremental' as const),
    };
    const { header } = await writePoint(vault, store, content, { chunkBytes: 2048, packBytes: 4096, begin });
    points.push({ header, sha256: createHash('sha256').update(content).digest('hex') });
  }
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify({ encryption, vaultId: vault.id, points }, null, 2)}\n`);
  await vault.close();
}
