/** Sums of pieces: how bytes are handed in must not matter; an incremental that goes by them must never miss a byte. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { pieceHasher } from '@diskfleet/vault';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readUsedDisk } from '../layout/readUsedDisk.ts';
import { makeTree, missingTools, noise, runTool } from '../testing/diskImages.ts';
import { firstDifference, Harness } from '../testing/harness.ts';
import type { BackupMemory, BackupRequest } from '../types.ts';
import { addPart, PIECE_BYTES, PieceSummer, SLOT_BYTES, SLOT_KNOWN } from './pieceSums.ts';
import { joinParts, SlotTable } from './slotTable.ts';
import { SumsAfter, SumsBefore } from './sumsFile.ts';
import { dropSums, keepSums, openSums } from './sumsOfRun.ts';

const missing = missingTools();
const title =
  missing.length === 0 ? 'incrementals by sums' : `incrementals by sums (skipped: this machine lacks ${missing.join(', ')})`;
if (process.env.CI !== undefined && missing.length > 0) throw new Error(title);

interface Part {
  readonly at: number;
  readonly bytes: Buffer;
}

/** The slots that come of chunks, each in parts in the order of the disk. */
function slotsOf(chunks: readonly (readonly Part[])[]): Map<number, string> {
  const hasher = pieceHasher({ idKey: Buffer.alloc(32, 1), vaultId: 'v'.repeat(32), idAlgorithm: 'blake3' });
  if (hasher === null) throw new Error('BLAKE3 is missing');
  const found = new Map<number, Buffer>();
  const summer = new PieceSummer(hasher, (piece, part) => {
    const slot = found.get(piece) ?? Buffer.from(SLOT_KNOWN);
    addPart(slot, 0, part ?? Buffer.alloc(SLOT_BYTES, 1));
    found.set(piece, slot);
  });
  for (const parts of chunks) {
    for (const { at, bytes } of parts) summer.add(at, bytes);
    summer.endChunk();
  }
  return new Map([...found].map(([piece, slot]) => [piece, slot.toString('hex')]));
}

describe('a slot', () => {
  const content = noise(4 * PIECE_BYTES, 3);
  const part = (from: number, to: number): Part => ({ at: from, bytes: content.subarray(from, to) });

  test('depends on the bytes of each chunk and on where they lie, not on how or in which order they are handed in', () => {
    const cuts = fc.uniqueArray(fc.nat({ max: content.length }), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (places) => {
        const borders = [0, ...places.sort((a, b) => a - b), content.length];
        const parts = borders.slice(1).map((to, index) => part(borders[index] ?? 0, to));
        expect(slotsOf([parts])).toEqual(slotsOf([[part(0, content.length)]]));
        const [odds, evens] = [1, 0].map((rest) => parts.filter((_, index) => index % 2 === rest));
        expect(new Map([...slotsOf([odds ?? [], evens ?? []])].sort())).toEqual(
          new Map([...slotsOf([evens ?? [], odds ?? []])].sort()),
        );
      }),
      { numRuns: 200, verbose: 0 },
    );
  });

  test('tells other bytes, other places and a missing chunk', () => {
    const slot = (...chunks: readonly Part[][]) => slotsOf(chunks).get(0);
    const flipped = Buffer.from(content.subarray(0, PIECE_BYTES));
    flipped[77] = (flipped[77] ?? 0) ^ 1;
    const all = [
      slot([part(0, PIECE_BYTES)]),
      slot([{ at: 0, bytes: flipped }]),
      slot([part(0, PIECE_BYTES - 512)]),
      slot([part(512, PIECE_BYTES)]),
      slot([{ at: 512, bytes: content.subarray(0, 512) }]),
      slot([{ at: 0, bytes: content.subarray(0, 512) }]),
      slot([part(0, 512)], [part(512, PIECE_BYTES)]),
      SLOT_KNOWN.toString('hex'),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test('of a piece in more ranges than it has sectors is odd, and the next piece is not', () => {
    const parts = Array.from({ length: 200 }, (_, index) => ({ at: index * 300, bytes: content.subarray(0, 100) }));
    const next = { at: PIECE_BYTES, bytes: content.subarray(0, 10) };
    const oddSlot = Buffer.from(SLOT_KNOWN.map((byte) => byte ^ 1)).toString('hex');
    expect(slotsOf([[...parts, next]])).toEqual(new Map([[0, oddSlot], ...slotsOf([[next]])]));
  });
});

describe('slots of which several threads have parts', () => {
  test('come to what one thread would have made of them, in order, and no more are kept than there is room for', () => {
    const add = fc.record({ number: fc.nat({ max: 3000 }), thread: fc.nat({ max: 2 }), seed: fc.nat({ max: 1e6 }) });
    fc.assert(
      fc.property(fc.array(add, { maxLength: 3000 }), (all) => {
        const tables = [0, 1, 2].map(() => new SlotTable(1e6));
        const expected = new Map<number, Buffer>();
        for (const { number, thread, seed } of all) {
          const part = noise(SLOT_BYTES, seed);
          tables[thread]?.add(number, part, 1);
          const slot = expected.get(number) ?? Buffer.alloc(SLOT_BYTES);
          addPart(slot, 0, part);
          expected.set(number, slot);
        }
        const found: [number, string][] = [];
        joinParts(
          tables.map((table) => table.takeParts()),
          (number, part) => found.push([number, part.toString('hex')]),
        );
        const wanted = [...expected]
          .sort(([left], [right]) => left - right)
          .map(([number, slot]) => [number, slot.toString('hex')]);
        expect(found).toEqual(wanted);
        expect(tables.flatMap((table) => [...table.takeParts().numbers])).toEqual([]);
      }),
      { numRuns: 20, verbose: 0 },
    );
    const small = new SlotTable(512);
    for (let number = 0; number < 5000; number++) small.add(number, Buffer.alloc(SLOT_BYTES, 1), 1);
    expect(small.takeParts().numbers.length).toBe(512);
  });
});

describe('the file of sums', () => {
  const folder = mkdtempSync(join(tmpdir(), 'diskfleet-sums-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'series.sums');
  const sizes = [10 * PIECE_BYTES, 3 * PIECE_BYTES];
  const head = { vaultId: 'vault', pointId: 'point', disks: ['one', 'two'] };
  const slot = (seed: number) => noise(SLOT_BYTES, seed);

  /** Writes one slot of the second disk as a run would. */
  async function store(pointId: string, seed: number): Promise<void> {
    const places = await openSums({ path, last: null, sizes });
    if (places === null) throw new Error('nothing can be remembered');
    const after = new SumsAfter(places);
    after.put((places.firstSlot[1] ?? 0) + 2, slot(seed));
    after.close();
    await keepSums(path, places, { head: { ...head, pointId }, sizes });
  }

  test('is believed for the very point, disks and sizes it was kept for', async () => {
    await store('point', 1);
    const others = [
      { last: { ...head, pointId: 'other' }, sizes },
      { last: { ...head, disks: ['one', 'three'] }, sizes },
      { last: head, sizes: [10 * PIECE_BYTES, 4 * PIECE_BYTES] },
      { last: null, sizes },
    ];
    for (const other of others) {
      const places = await openSums({ path, ...other });
      expect(places?.before).toBe(null);
      if (places !== null) await dropSums(places);
    }
    expect(readdirSync(folder)).toEqual(['series.sums']);
  });

  test('that another run puts in its place meanwhile is not read in its stead', async () => {
    await store('point', 1);
    const places = await openSums({ path, last: head, sizes });
    await store('later', 2);
    const before = new SumsBefore(places?.before ?? '');
    const there = Buffer.alloc(2 * SLOT_BYTES);
    before.read(11, there);
    before.close();
    expect(there).toEqual(Buffer.concat([Buffer.alloc(SLOT_BYTES), slot(1)]));
    if (places !== null) await dropSums(places);
    expect(readdirSync(folder)).toEqual(['series.sums']);
  });
});

describe.skipIf(missing.length > 0)(title, () => {
  const harness = new Harness();

  function remembering(name: string, over: Partial<BackupRequest> = {}): Partial<BackupRequest> {
    const path = harness.path(`memory/${name}`);
    const memory: BackupMemory = {
      sumsPath: `${path}.sums`,
      load: async () => (existsSync(path) ? readFileSync(path) : null),
      save: async (bytes) => {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      },
    };
    return { method: 'incremental', source: name, memory, ...over };
  }

  async function expectRestored(pointId: string, name: string): Promise<void> {
    const to = `restored-${name}`;
    // A target full of other bytes: what is not written shows.
    writeFileSync(harness.path(to), noise(32 * 1024 * 1024, 9));
    await harness.restore(pointId, to);
    const device = await openFileDevice(harness.path(name));
    const { usedExtents } = await readUsedDisk(device);
    await device.close();
    expect(firstDifference(harness.path(name), harness.path(to), usedExtents)).toBe(null);
  }

  function poke(name: string, places: readonly number[], seed: number): void {
    const file = openSync(harness.path(name), 'r+');
    for (const place of places) writeSync(file, noise(300, seed + place), 0, 300, place);
    closeSync(file);
  }

  beforeAll(() => {
    mkdirSync(harness.path('tree'));
    makeTree(harness.path('tree'), 5);
    for (let index = 0; index < 40; index++) {
      writeFileSync(join(harness.path('tree'), `more-${index}`), noise(1000 + index * 4100, 700 + index));
    }
    runTool('mke2fs', ['-q', '-t', 'ext4', '-d', harness.path('tree'), harness.path('pristine'), '32M']);
  });
  afterAll(() => harness.close());

  test.each(['grid', 'files'] as const)(
    'by %s: what changed is stored in pieces, and every point is the disk',
    async (cutter) => {
      const name = `some-${cutter}`;
      copyFileSync(harness.path('pristine'), harness.path(name));
      const first = await harness.backup([name], remembering(name, { cutter }));
      const quiet = await harness.backup([name], remembering(name, { cutter }));
      expect(quiet).toMatchObject({ newBytes: 0, usedBytes: first.usedBytes });
      await expectRestored(quiet.point.id, name);
      poke(name, [9_000_123, 14_500_000], cutter === 'grid' ? 1 : 2);
      const second = await harness.backup([name], remembering(name, { cutter }));
      expect(second.newBytes).toBeGreaterThan(0);
      expect(second.newBytes).toBeLessThanOrEqual(2 * 256 * 1024);
      await expectRestored(second.point.id, name);
      expect(readdirSync(harness.path('memory')).filter((file) => file.endsWith('.new'))).toEqual([]);
    },
  );

  test('whatever happens to the disk and to what is remembered, the next point is the disk', async () => {
    const name = 'any';
    const from = harness.path('content');
    writeFileSync(from, noise(200_000, 77));
    const run = (command: string) => runTool('debugfs', ['-w', '-R', command, harness.path(name)]);
    const sums = () => harness.path(`memory/${name}.sums`);
    const step = fc.oneof(
      fc.record({ kind: fc.constant('poke' as const), places: fc.array(fc.nat({ max: 31 * 1024 * 1024 }), { maxLength: 6 }) }),
      fc.record({ kind: fc.constant('remove' as const), file: fc.nat({ max: 39 }) }),
      fc.record({ kind: fc.constant('write' as const), file: fc.nat({ max: 20 }) }),
      fc.record({ kind: fc.constant('flip' as const), place: fc.nat({ max: 8000 }) }),
      fc.constant({ kind: 'forget' as const }),
    );
    const steps = fc.array(fc.record({ step, cutter: fc.constantFrom('grid' as const, 'files' as const) }), {
      minLength: 2,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (all, seed) => {
        copyFileSync(harness.path('pristine'), harness.path(name));
        await harness.backup([name], remembering(name, { method: 'full', cutter: all[0]?.cutter }));
        for (const [index, { step: one, cutter }] of all.entries()) {
          // Only bytes behind the metadata: a filesystem that cannot be read is another test.
          if (one.kind === 'poke')
            poke(
              name,
              one.places.map((place) => Math.max(place, 8 * 1024 * 1024)),
              seed % 1000,
            );
          if (one.kind === 'remove') run(`rm more-${one.file}`);
          if (one.kind === 'write') run(`write ${from} new-${index}-${one.file}`);
          if (one.kind === 'forget') truncateSync(sums(), 5000);
          if (one.kind === 'flip') {
            const bytes = readFileSync(sums());
            const place = one.place % bytes.length;
            bytes[place] = (bytes[place] ?? 0) ^ 4;
            writeFileSync(sums(), bytes);
          }
          const { point } = await harness.backup([name], remembering(name, { cutter }));
          await expectRestored(point.id, name);
        }
      }),
      { numRuns: 5, verbose: 0 },
    );
  }, 180_000);

  test('a hole that was data, and is the same data again, is not taken for what it was before', async () => {
    const name = 'holes';
    copyFileSync(harness.path('pristine'), harness.path(name));
    const options = remembering(name, { sectorBySector: true });
    await harness.backup([name], options);
    const before = readFileSync(harness.path(name));
    truncateSync(harness.path(name), 12 * 1024 * 1024);
    truncateSync(harness.path(name), before.length);
    const emptied = await harness.backup([name], options);
    await expectRestored(emptied.point.id, name);
    writeFileSync(harness.path(name), before);
    const refilled = await harness.backup([name], options);
    await expectRestored(refilled.point.id, name);
  });

  test('what cannot be written is not remembered, and the backup is sound', async () => {
    const name = 'unwritable';
    copyFileSync(harness.path('pristine'), harness.path(name));
    await harness.backup([name], remembering(name));
    const folder = harness.path('memory');
    const gone = ({ phase }: { phase: string }) => {
      if (phase === 'commit') for (const file of readdirSync(folder)) if (file.endsWith('.new')) rmSync(join(folder, file));
    };
    poke(name, [11_000_000], 41);
    const { point } = await harness.backup([name], remembering(name), { onProgress: gone });
    await expectRestored(point.id, name);
    expect(readdirSync(folder).filter((file) => file.startsWith(`${name}.sums`))).toEqual([]);
    // Without sums the cell is compared whole: what was stored of it as a piece is stored once more.
    const next = await harness.backup([name], remembering(name));
    expect(next.newBytes).toBeLessThanOrEqual(256 * 1024);
    await expectRestored(next.point.id, name);
    expect(await harness.backup([name], remembering(name))).toMatchObject({ newBytes: 0 });
  });

  test('a run that fails leaves what was remembered as it was', async () => {
    const name = 'stopped';
    copyFileSync(harness.path('pristine'), harness.path(name));
    await harness.backup([name], remembering(name));
    const sums = harness.path(`memory/${name}.sums`);
    const before = readFileSync(sums);
    poke(name, [10_000_000], 5);
    const stop = new AbortController();
    const onProgress = ({ phase }: { phase: string }) => {
      if (phase === 'commit') stop.abort();
    };
    await expect(harness.backup([name], remembering(name), { signal: stop.signal, onProgress })).rejects.toThrow();
    expect(readFileSync(sums).equals(before)).toBe(true);
    expect(readdirSync(dirname(sums)).filter((file) => file.startsWith(basename(sums)))).toEqual([basename(sums)]);
    const { point } = await harness.backup([name], remembering(name));
    await expectRestored(point.id, name);
  });
});
