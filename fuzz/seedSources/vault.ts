import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeGc, openPackKey, RecordDecoder, readTrailer } from '@diskfleet/vault/testing/parsers';
import type { SeedSource } from '../makeSeeds.ts';
import { seedVault } from '../targets/vaultSeed.ts';

const golden = fileURLToPath(new URL('../../packages/vault/src/testing/golden/v1/plain', import.meta.url));

function objects(folder: string): Buffer[] {
  const entries = readdirSync(join(golden, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.sort().map((file) => readFileSync(file));
}

/** The plain bytes of all nodes of maps. */
function nodes(): Buffer[] {
  const decoder = new RecordDecoder(seedVault);
  return objects('packs').flatMap((pack) => {
    const packKey = openPackKey(pack, 'a pack', seedVault);
    return readTrailer(pack, 'a pack')
      .filter(({ type }) => type !== 'data')
      .map(({ id, offsetBytes, recordBytes }) => {
        const record = Buffer.from(pack.subarray(offsetBytes, offsetBytes + recordBytes));
        return Buffer.from(decoder.decode({ record, id, packKey, packName: 'a pack' }, (length) => Buffer.alloc(length)));
      });
  });
}

function seedsOf(name: string, all: readonly Buffer[]): SeedSource[] {
  return all.map((bytes, index) => ({ name: `${name}-${index}`, make: async () => bytes }));
}

const verdict = { packs: ['00'.repeat(32)], witness: ['b670c227a95f31af3c6bf3fdb3a98cbf'] };

export const seeds: readonly SeedSource[] = [
  ...seedsOf('config', [readFileSync(join(golden, 'config'))]),
  ...seedsOf('segment', objects('index')),
  ...seedsOf('point', objects('points')),
  ...seedsOf('pack', objects('packs')),
  ...seedsOf('node', nodes()),
  ...seedsOf('gc', [encodeGc('gc/0000000000000001-mark', verdict, { vaultId: seedVault.vaultId, idKey: seedVault.keys.idKey })]),
];
