import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../keys/derive.ts';
import { diskInfo, noise } from '../testing/sampleVault.ts';
import type { MapEntry } from '../types.ts';
import { decodeLeaf, encodeLeaf, type LeafEntry, regionBytes } from './mapNodes.ts';
import { openSavedDisk } from './savedDisk.ts';
import { writeMap } from './writeMap.ts';

const chunkBytes = 1 << 16;
const chunks = Array.from({ length: 5 }, (_, at) => ({ id: sha256(`chunk ${at}`), bytes: noise(`chunk ${at}`, chunkBytes) }));

/** Random entries in order: gaps, zeros and pieces of a few chunks, around region borders. */
const entriesArb = (deviceBytes: number) =>
  fc
    .array(
      fc.record({
        gap: fc.oneof(fc.constant(0), fc.nat(5000), fc.nat(deviceBytes)),
        length: fc.integer({ min: 1, max: chunkBytes }),
        chunk: fc.nat(chunks.length),
        skip: fc.nat(chunkBytes),
      }),
      { maxLength: 60 },
    )
    .map((pieces) => {
      const entries: MapEntry[] = [];
      let at = 0;
      for (const piece of pieces) {
        const offsetBytes = at + piece.gap;
        const lengthBytes = Math.min(piece.length, deviceBytes - offsetBytes);
        if (lengthBytes <= 0) continue;
        const chunk = chunks[piece.chunk];
        const chunkOffsetBytes = Math.min(piece.skip, chunkBytes - lengthBytes);
        entries.push(
          chunk === undefined
            ? { kind: 'zero', offsetBytes, lengthBytes }
            : { kind: 'data', offsetBytes, lengthBytes, chunkId: chunk.id, chunkOffsetBytes },
        );
        at = offsetBytes + lengthBytes;
      }
      return entries;
    });

function nodeStore() {
  const nodes = new Map<string, Buffer>();
  return {
    nodes,
    async store(bytes: Buffer) {
      const id = sha256(bytes);
      nodes.set(id.toString('hex'), bytes);
      return id;
    },
    async read(id: Uint8Array) {
      const found = nodes.get(Buffer.from(id).toString('hex')) ?? chunks.find((chunk) => chunk.id.equals(id))?.bytes;
      if (found === undefined) throw new Error('no such node');
      return found;
    },
  };
}

/** Cuts entries at the given points without changing what they say. */
function cut(entries: readonly MapEntry[], every: number): MapEntry[] {
  return entries.flatMap((entry) => {
    const parts: MapEntry[] = [];
    for (let skip = 0; skip < entry.lengthBytes; skip += every) {
      const place = { offsetBytes: entry.offsetBytes + skip, lengthBytes: Math.min(every, entry.lengthBytes - skip) };
      parts.push(
        entry.kind === 'zero' ? { ...entry, ...place } : { ...entry, ...place, chunkOffsetBytes: entry.chunkOffsetBytes + skip },
      );
    }
    return parts;
  });
}

const leafArb: fc.Arbitrary<LeafEntry[]> = entriesArb(regionBytes).map((entries) =>
  entries.map((entry) => ({
    at: entry.offsetBytes,
    length: entry.lengthBytes,
    chunk: entry.kind === 'data' ? entry.chunkId : null,
    chunkOffset: entry.kind === 'data' ? entry.chunkOffsetBytes : 0,
  })),
);

describe('map nodes', () => {
  it('[F14] a leaf decodes to what was encoded', () => {
    fc.assert(
      fc.property(leafArb, (entries) => {
        expect(decodeLeaf(encodeLeaf(entries), 'leaf')).toEqual(entries);
      }),
    );
  });

  it('[F14] has the bytes the format says', () => {
    const id = Buffer.alloc(32, 0xab);
    const bytes = encodeLeaf([
      { at: 4096, length: 262_144, chunk: id, chunkOffset: 0 },
      { at: 266_240, length: 512, chunk: null, chunkOffset: 0 },
      { at: 300_000, length: 1, chunk: id, chunkOffset: 300 },
    ]);
    const expected = ['4c454146 01 01 03', 'ab'.repeat(32), '8020 818020 00 00', '00 8008', 'e0 83 02', '03 01 ac02'].join('');
    // 300000 - 266752 = 33248 = 0xe0 0x83 0x02
    expect(bytes.toString('hex')).toBe(expected.replaceAll(' ', ''));
  });

  it('[F14] any bytes at all decode or give POINT_DAMAGED, quickly', () => {
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(leafArb, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([entries, at, flip]) => {
        const bytes = encodeLeaf(entries);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ flip;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(junk, (bytes) => {
        try {
          for (const entry of decodeLeaf(bytes, 'leaf')) expect(entry.at + entry.length).toBeLessThanOrEqual(regionBytes);
        } catch (cause) {
          expect(cause).toMatchObject({ code: 'POINT_DAMAGED' });
        }
      }),
    );
  });
});

describe('maps', () => {
  const deviceBytes = 3 * regionBytes + 12_345;

  it('[F14] however the writer cut, the root is the same', async () => {
    await fc.assert(
      fc.asyncProperty(entriesArb(deviceBytes), fc.integer({ min: 700, max: 100_000 }), async (entries, every) => {
        const { store } = nodeStore();
        const whole = await writeMap(entries, deviceBytes, store);
        expect((await writeMap(cut(entries, every), deviceBytes, store)).equals(whole)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('entries come back as they were put in, joined, and every read equals the reference', async () => {
    await fc.assert(
      fc.asyncProperty(
        entriesArb(deviceBytes),
        fc.array(fc.tuple(fc.nat(deviceBytes), fc.nat(200_000)), { maxLength: 8 }),
        async (entries, reads) => {
          const { store, read } = nodeStore();
          const root = await writeMap(entries, deviceBytes, store);
          const disk = await openSavedDisk(diskInfo(root.toString('hex'), deviceBytes), read);
          const again: MapEntry[] = [];
          for await (const entry of disk.mapEntries()) again.push(entry);
          expect((await writeMap(again, deviceBytes, store)).equals(root)).toBe(true);
          const total = (list: readonly MapEntry[]) => list.reduce((sum, one) => sum + one.lengthBytes, 0);
          expect(total(again)).toBe(total(entries));
          const borders = entries
            .slice(0, 4)
            .map((entry): [number, number] => [Math.max(0, entry.offsetBytes - 10), entry.lengthBytes + 20]);
          for (const [at, wanted] of [...reads, ...borders]) {
            const length = Math.min(wanted, deviceBytes - at);
            const expected = Buffer.alloc(length);
            for (const entry of entries) {
              if (entry.kind === 'zero') continue;
              const from = Math.max(at, entry.offsetBytes);
              const to = Math.min(at + length, entry.offsetBytes + entry.lengthBytes);
              if (from >= to) continue;
              const skip = entry.chunkOffsetBytes + from - entry.offsetBytes;
              (await read(entry.chunkId)).copy(expected, from - at, skip, skip + to - from);
            }
            const found = Buffer.alloc(length, 0xee);
            await disk.read(at, found);
            expect(found.equals(expected)).toBe(true);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('[F15] spans pages: a disk of 2 TiB with three used places', async () => {
    const { store, read, nodes } = nodeStore();
    const size = 2 * 1024 ** 4;
    const id = chunks[0]?.id ?? Buffer.alloc(32);
    const entries = [5, 700 * 1024 ** 3, size - 100].map(
      (offsetBytes): MapEntry => ({ kind: 'data', offsetBytes, lengthBytes: 100, chunkId: id, chunkOffsetBytes: 7 }),
    );
    const root = await writeMap(entries, size, store);
    expect(nodes.size).toBe(3 + 3 + 1);
    const disk = await openSavedDisk(diskInfo(root.toString('hex'), size), read);
    const again: MapEntry[] = [];
    for await (const entry of disk.mapEntries()) again.push(entry);
    expect(again).toEqual(entries);
    const found = Buffer.alloc(100);
    await disk.read(size - 100, found);
    expect(found.equals(chunks[0]?.bytes.subarray(7, 107) ?? Buffer.alloc(0))).toBe(true);
  });

  it('leaves with few entries are all kept, and those with many go when there are too many entries', async () => {
    const loadsOf = async (regions: number, entriesEach: number) => {
      const { store, read } = nodeStore();
      const size = regions * regionBytes;
      const entries = Array.from({ length: regions * entriesEach }, (_, at): MapEntry => {
        const offsetBytes = Math.floor(at / entriesEach) * regionBytes + (at % entriesEach) * 1024;
        return { kind: 'zero', offsetBytes, lengthBytes: 512 };
      });
      const root = await writeMap(entries, size, store);
      let loads = 0;
      const counted = (id: Uint8Array) => {
        loads += 1;
        return read(id);
      };
      const disk = await openSavedDisk(diskInfo(root.toString('hex'), size), counted);
      const target = Buffer.alloc(1);
      for (let round = 0; round < 2; round += 1) {
        for (let region = 0; region < regions; region += 1) await disk.read(region * regionBytes, target);
      }
      return loads;
    };
    // The root, the page, and each leaf, which are all alike but loaded each for itself.
    expect(await loadsOf(300, 3)).toBe(302);
    expect(await loadsOf(12, 30_000)).toBe(2 + 2 * 12);
  });

  it('refuses entries out of order, overlapping or beyond the device', async () => {
    const { store } = nodeStore();
    const zero = (offsetBytes: number, lengthBytes: number): MapEntry => ({ kind: 'zero', offsetBytes, lengthBytes });
    for (const bad of [[zero(10, 5), zero(0, 5)], [zero(0, 5), zero(4, 5)], [zero(95, 6)], [zero(0, 0)], [zero(-1, 5)]]) {
      await expect(writeMap(bad, 100, store)).rejects.toThrow(RangeError);
    }
  });
});
