import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../keys/derive.ts';
import { noise } from '../testing/sampleVault.ts';
import type { SealedPack } from '../types.ts';
import { decodeSegment, encodeSegments } from './segment.ts';

const key = { vaultId: '1ef98c75-10a3-435a-bc5f-7d0044198a7a', idKey: Buffer.alloc(32, 3) };

/** A pack with entries of the given ids; few distinct ids, so that copies in several packs occur. */
function packOf(at: number, ids: readonly number[]): SealedPack {
  const entries = Buffer.alloc(ids.length * 48);
  for (const [place, id] of ids.entries()) {
    noise(`id ${id}`, 32).copy(entries, place * 48);
    // Many ids share their first bytes: sorting must look at the rest.
    entries.fill(7, place * 48, place * 48 + (id % 3) * 2);
    entries.writeUInt32LE(128 + place * 1000, place * 48 + 36);
    entries.writeUInt32LE(1000, place * 48 + 40);
    entries.writeUInt32LE(((1 << 28) | 4096) >>> 0, place * 48 + 44);
  }
  return { name: sha256(`pack ${at}`).toString('hex'), sizeBytes: 1_000_000 + at, kind: at % 2 === 0 ? 'data' : 'meta', entries };
}

describe('index segments', () => {
  it('[F12] [F13] list every chunk under its pack, sorted', () => {
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(fc.nat(200), { maxLength: 40 }), { maxLength: 12 }), (idsOfPacks) => {
        const packs = idsOfPacks.map((ids, at) => packOf(at, ids));
        const expected = packs.flatMap((pack) =>
          Array.from({ length: pack.entries.length / 48 }, (_, at) => {
            const entry = Buffer.from(pack.entries.subarray(at * 48, at * 48 + 48));
            return `${pack.name} ${entry.toString('hex', 0, 32)} ${entry.toString('hex', 36)}`;
          }),
        );
        const found: string[] = [];
        for (const { name, bytes } of encodeSegments(packs, key)) {
          const segment = decodeSegment(bytes, name, key);
          expect(segment.superseded).toEqual([]);
          let last = '';
          for (let at = 0; at < segment.entries.length; at += 48) {
            const pack = segment.packs[segment.entries.readUInt32LE(at + 32)];
            const id = segment.entries.toString('hex', at, at + 32);
            const order = `${id} ${String(segment.entries.readUInt32LE(at + 32)).padStart(10, '0')}`;
            expect(order > last).toBe(true);
            last = order;
            found.push(`${pack?.name} ${id} ${segment.entries.toString('hex', at + 36, at + 48)}`);
            expect(pack).toMatchObject({ kind: packs.find((one) => one.name === pack?.name)?.kind });
          }
        }
        expect(found.sort()).toEqual(expected.sort());
      }),
    );
  });

  it('[F13] refuses a segment of another vault, of another key, and one under a wrong name', () => {
    const [segment] = encodeSegments([packOf(0, [1, 2, 3])], key);
    if (segment === undefined) throw new Error('no segment');
    const damaged = { code: 'VAULT_DAMAGED' };
    const attempt =
      (use: { vaultId: string; idKey: Buffer | null }, name = segment.name) =>
      () =>
        decodeSegment(segment.bytes, name, use);
    expect(attempt({ ...key, idKey: Buffer.alloc(32, 4) })).toThrow(expect.objectContaining(damaged));
    expect(attempt({ ...key, vaultId: '2ef98c75-10a3-435a-bc5f-7d0044198a7a' })).toThrow(expect.objectContaining(damaged));
    expect(attempt(key, segment.name.replace(/.$/, 'x'))).toThrow(expect.objectContaining(damaged));
    expect(attempt({ ...key, idKey: null })().entryCount).toBe(3);
  });
});
