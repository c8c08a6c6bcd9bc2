/** The file cutter on volumes made up at random, honest and lying. A failure prints its seed. */
import { createHash } from 'node:crypto';
import { alignedBuffer, type Extent, intersectExtents, mergeExtents, subtractExtents, sumBytes } from '@diskfleet/disk';
import { type FileExtent, type FileLayout, FilesystemError } from '@diskfleet/filesystem';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CELL_DATA, createCellTable, ID_BYTES } from '../backup/cellTable.ts';
import { assembleCut } from './assembleCut.ts';
import { defaultCut, FILE_CHUNK_BYTES, type FileCut, GROUP_BYTES, GROUP_FIELDS, mostChunks, PAGE_BYTES } from './fileCut.ts';
import { FileGroupReader, type PieceSource } from './fileGroupReader.ts';
import { fileMapEntries } from './fileMap.ts';
import { type DiskToCut, planFiles, touchedChunks } from './planFiles.ts';

const BLOCK = 1024;
const DISK_BLOCKS = 6000;

/** Where the volume begins need not be a multiple of anything but sectors. */
const VOLUME_START = 63 * 512;

function diskBytes(seed: number): Buffer {
  const bytes = createHash('shake256', { outputLength: VOLUME_START + DISK_BLOCKS * BLOCK + 8192 })
    .update(String(seed))
    .digest();
  return bytes;
}

const extentOf = fc.record({ offset: fc.nat(DISK_BLOCKS - 1), length: fc.integer({ min: 1, max: 600 }) });

const usedExtents = fc.array(extentOf, { minLength: 1, maxLength: 20 }).map((extents) =>
  mergeExtents(
    extents.map(({ offset, length }) => ({
      offsetBytes: VOLUME_START + offset * BLOCK,
      lengthBytes: Math.min(length, DISK_BLOCKS - offset) * BLOCK,
    })),
  ),
);

/** Anything a filesystem could claim: overlaps, places outside the used blocks and the disk, backwards, impossible sizes. */
const lyingLayout = fc
  .record({
    name: fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é'), maxLength: 12 }),
    sizeBytes: fc.oneof(fc.nat(900_000), fc.constantFrom(0, -1, 2 ** 53, 1, Number.NaN)),
    extents: fc.array(
      fc.record({
        file: fc.integer({ min: -2, max: 700 }),
        disk: fc.integer({ min: -5, max: DISK_BLOCKS + 50 }),
        length: fc.integer({ min: -1, max: 500 }),
      }),
      { maxLength: 6 },
    ),
    sorted: fc.boolean(),
  })
  .map(({ name, sizeBytes, extents, sorted }): FileLayout => {
    const told = sorted ? [...extents].sort((a, b) => a.file - b.file) : extents;
    return layout(
      name,
      sizeBytes,
      told.map(({ file, disk, length }) => ({
        fileOffsetBytes: file * BLOCK,
        volumeOffsetBytes: disk * BLOCK,
        lengthBytes: length * BLOCK,
      })),
    );
  });

function layout(path: string, sizeBytes: number, extents: readonly FileExtent[]): FileLayout {
  return { path, ref: path, sizeBytes, stamp: '', extents };
}

function volume(layouts: DiskToCut['volumes'][number]['layouts']) {
  return { startBytes: VOLUME_START, sizeBytes: DISK_BLOCKS * BLOCK, layouts };
}

function piecesOf(cut: FileCut): { offset: number; bytes: number; chunk: number; at: number }[] {
  return Array.from(cut.mapOrder.subarray(0, cut.firstOfDisk.at(-1)), (piece) => ({
    offset: cut.pieceOffset[piece] ?? -1,
    bytes: cut.pieceBytes[piece] ?? -1,
    chunk: cut.pieceChunk[piece] ?? -1,
    at: cut.pieceAt[piece] ?? -1,
  }));
}

/** What a worker makes of a cut: content of every chunk. Reads past what was asked for are filled with other bytes. */
function readChunks(cut: FileCut, disk: Buffer): Buffer[] {
  const reader = new FileGroupReader(alignedBuffer(GROUP_BYTES));
  const chunks: Buffer[] = [];
  const source: PieceSource = {
    isHole: () => false,
    read(target, base, { from, to }) {
      expect(base % PAGE_BYTES === 0).toBe(true);
      const [start, end] = [from - (from % PAGE_BYTES), Math.min(Math.ceil(to / PAGE_BYTES) * PAGE_BYTES, disk.length)];
      expect(start - base).toBeGreaterThanOrEqual(0);
      expect(end - base).toBeLessThanOrEqual(target.length);
      disk.copy(target, start - base, start, end);
      return end - start;
    },
  };
  for (let group = 0; group < cut.groupCount; group++) {
    // Once before, and what it left spoilt: nothing of an earlier group may shine through.
    reader.load(cut, group, source);
    for (let index = 0; index < reader.chunkCount; index++) reader.chunk(index).fill(0xee);
    reader.load(cut, group, source);
    for (let index = 0; index < reader.chunkCount; index++) chunks.push(Buffer.from(reader.chunk(index)));
  }
  return chunks;
}

async function cutFiles(disks: readonly DiskToCut[]) {
  const plans = await Promise.all(disks.map((disk) => planFiles(disk)));
  return { cut: assembleCut(plans), others: plans.map(({ others }) => others), notes: plans.flatMap(({ notes }) => notes) };
}

const seed = Number(process.env.DISKFLEET_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

describe('exact coverage', () => {
  test(`every used byte lies in one piece or is left to the grid, whatever files claim (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(usedExtents, fc.array(lyingLayout, { maxLength: 12 }), async (used, layouts) => {
        const { cut, others } = await cutFiles([{ used, volumes: [volume(layouts)] }]);
        const pieces = piecesOf(cut);
        for (const [index, { offset, bytes, chunk, at }] of pieces.entries()) {
          expect(bytes).toBeGreaterThan(0);
          expect(at + bytes).toBeLessThanOrEqual(cut.chunkBytes[chunk] ?? 0);
          const next = pieces[index + 1];
          if (next) expect(next.offset).toBeGreaterThanOrEqual(offset + bytes);
        }
        const covered = pieces.map(({ offset, bytes }) => ({ offsetBytes: offset, lengthBytes: bytes }));
        expect(mergeExtents([...covered, ...(others[0] ?? [])])).toEqual(used);
        expect(cut.usedBytes + sumBytes(others[0] ?? [])).toBe(sumBytes(used));
        expect(cut.chunkCount).toBeLessThanOrEqual(mostChunks(sumBytes(used), VOLUME_START + DISK_BLOCKS * BLOCK));
        for (const bytes of cut.chunkBytes.subarray(0, cut.chunkCount)) {
          expect(bytes % PAGE_BYTES).toBe(0);
          expect(bytes > 0 && bytes <= FILE_CHUNK_BYTES).toBe(true);
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  /** At a sector, as disks of long ago; at a page: there runs are read straight into their chunks. */
  test.each([VOLUME_START, 32_768])(
    `volume at %i: what a worker reads, put together by the map, is the disk (seed ${seed})`,
    async (start) => {
      const disk = diskBytes(seed);
      await fc.assert(
        fc.asyncProperty(usedExtents, fc.array(lyingLayout, { maxLength: 12 }), async (atSector, layouts) => {
          const used = atSector.map(({ offsetBytes, lengthBytes }) => ({
            offsetBytes: offsetBytes - VOLUME_START + start,
            lengthBytes,
          }));
          const { cut } = await cutFiles([{ used, volumes: [{ ...volume(layouts), startBytes: start }] }]);
          const chunks = readChunks(cut, disk);
          expect(chunks.length).toBe(cut.chunkCount);
          const wanted = Array.from(chunks, (_, chunk) => Buffer.alloc(cut.chunkBytes[chunk] ?? 0));
          for (const { offset, bytes, chunk, at } of piecesOf(cut)) wanted[chunk]?.set(disk.subarray(offset, offset + bytes), at);
          expect(wanted.every((bytes, chunk) => chunks[chunk]?.equals(bytes))).toBe(true);
          const table = createCellTable(cut.chunkCount);
          table.states.fill(CELL_DATA);
          for (let chunk = 0; chunk < cut.chunkCount; chunk++)
            Buffer.from(table.ids.buffer).writeUInt32LE(chunk, chunk * ID_BYTES);
          let covered = 0;
          for (const entry of fileMapEntries(cut, table, 0)) {
            if (entry.kind !== 'data') throw new Error('nothing is zero here');
            const chunk = chunks[Buffer.from(entry.chunkId).readUInt32LE(0)];
            const saved = chunk?.subarray(entry.chunkOffsetBytes, entry.chunkOffsetBytes + entry.lengthBytes);
            expect(saved?.equals(disk.subarray(entry.offsetBytes, entry.offsetBytes + entry.lengthBytes))).toBe(true);
            covered += entry.lengthBytes;
          }
          expect(covered).toBe(cut.usedBytes);
        }),
        { seed, numRuns: 150 },
      );
    },
  );

  test(`the chunks touched by extents are taken whole and no others (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(usedExtents, usedExtents, fc.array(lyingLayout, { maxLength: 8 }), async (used, changed, layouts) => {
        const { cut: all } = await cutFiles([{ used, volumes: [volume(layouts)] }]);
        const plan = await planFiles({ used, volumes: [volume(layouts)] });
        const cut = assembleCut([plan], [touchedChunks(plan, changed)]);
        const touched = new Set(
          piecesOf(all)
            .filter(({ offset, bytes }) => intersectExtents([{ offsetBytes: offset, lengthBytes: bytes }], changed).length > 0)
            .map(({ chunk }) => chunk),
        );
        const place = ({ offset, bytes, at }: { offset: number; bytes: number; at: number }) => ({ offset, bytes, at });
        const wanted = piecesOf(all).filter(({ chunk }) => touched.has(chunk));
        expect(piecesOf(cut).map(place)).toEqual(wanted.map(place));
        expect(cut.chunkCount).toBe(touched.size);
      }),
      { seed, numRuns: 100 },
    );
  });

  test('a hole in a file is zero even where the disk has a gap of the same length', async () => {
    const page = PAGE_BYTES;
    const extents = [0, 2, 5].map((at) => ({ fileOffsetBytes: at * page, volumeOffsetBytes: at * page, lengthBytes: page }));
    const used = extents.map(({ volumeOffsetBytes, lengthBytes }) => ({ offsetBytes: 32_768 + volumeOffsetBytes, lengthBytes }));
    const { cut } = await cutFiles([
      { used, volumes: [{ ...volume([layout('sparse', 6 * page, extents)]), startBytes: 32_768 }] },
    ]);
    const [chunk] = readChunks(cut, diskBytes(1));
    expect(chunk?.length).toBe(6 * page);
    const isZero = [0, 1, 2, 3, 4, 5].map((at) => chunk?.subarray(at * page, (at + 1) * page).every((byte) => byte === 0));
    expect(isZero).toEqual([false, true, false, true, true, false]);
  });

  test('several disks, several volumes, and what lies beside them', async () => {
    const used: Extent[] = [{ offsetBytes: 0, lengthBytes: 40 * BLOCK }];
    const files = (path: string) => [
      layout(path, 5 * BLOCK, [{ fileOffsetBytes: 0, volumeOffsetBytes: 2 * BLOCK, lengthBytes: 5 * BLOCK }]),
    ];
    const volumes = [
      { startBytes: 20 * BLOCK, sizeBytes: 10 * BLOCK, layouts: files('second') },
      { startBytes: BLOCK, sizeBytes: 15 * BLOCK, layouts: files('first') },
    ];
    const { cut, others } = await cutFiles([
      { used, volumes },
      { used, volumes: [] },
      { used, volumes },
    ]);
    const inVolumes = [
      { offsetBytes: BLOCK, lengthBytes: 15 * BLOCK },
      { offsetBytes: 20 * BLOCK, lengthBytes: 10 * BLOCK },
    ];
    expect(others).toEqual([subtractExtents(used, inVolumes), used, subtractExtents(used, inVolumes)]);
    expect(cut.firstOfDisk.length).toBe(4);
    expect(cut.firstOfDisk[1]).toBe(cut.firstOfDisk[2]);
    expect(cut.usedBytes).toBe(2 * 25 * BLOCK);
    const disks = Array.from({ length: cut.groupCount + 1 }, (_, group) => cut.groups[group * GROUP_FIELDS]);
    expect(disks).toEqual([0, 2, 3]);
  });

  test(`what no file has is cut or left to the grid, long ranges whole (seed ${seed})`, async () => {
    const mib = 2 ** 20;
    const extent = fc.tuple(fc.nat(400 * 256), fc.oneof(fc.nat(64), fc.nat(60 * 256))).map(([from, pages]) => ({
      offsetBytes: from * PAGE_BYTES,
      lengthBytes: (pages + 1) * PAGE_BYTES,
    }));
    await fc.assert(
      fc.asyncProperty(fc.array(extent, { maxLength: 30 }), async (extents) => {
        const used = mergeExtents(extents);
        const sizeBytes = 500 * mib;
        const { cut, others } = await cutFiles([{ used, volumes: [{ startBytes: 0, sizeBytes, layouts: [] }] }]);
        const left = others[0] ?? [];
        expect(
          left.every(({ offsetBytes, lengthBytes }) => offsetBytes % (16 * mib) === 0 && lengthBytes % (16 * mib) === 0),
        ).toBe(true);
        const pieces = piecesOf(cut).map(({ offset, bytes }) => ({ offsetBytes: offset, lengthBytes: bytes }));
        expect(mergeExtents([...pieces, ...left])).toEqual(used);
        expect(sumBytes(pieces) + sumBytes(left)).toBe(sumBytes(used));
        // No range of 16 MiB that is in use throughout is left.
        expect(pieces.length).toBeLessThan((extents.length + 1) * 4 * 64);
      }),
      { seed },
    );
  });

  test('what would come to more chunks than the vault was told of is left to the grid', async () => {
    // One page in every second part of a part: no two neighbours fit a chunk, and hardly any chunk is filled.
    const [page, mib, ranges] = [4096, 2 ** 20, 2000];
    const pages = [0, 8, 12, 14, 15, 15.5].map((at) => ({ offsetBytes: at * mib, lengthBytes: page }));
    const range = [...pages, { offsetBytes: 15.75 * mib, lengthBytes: FILE_CHUNK_BYTES }];
    const used = Array.from({ length: ranges }, (_, index) =>
      range.map(({ offsetBytes, lengthBytes }) => ({ offsetBytes: index * 16 * mib + offsetBytes, lengthBytes })),
    ).flat();
    const sizeBytes = ranges * 16 * mib;
    const { cut, others, notes } = await cutFiles([{ used, volumes: [{ startBytes: 0, sizeBytes, layouts: [] }] }]);
    expect(ranges * 7).toBeGreaterThan(mostChunks(sumBytes(used), sizeBytes));
    expect(cut.chunkCount).toBe(0);
    expect(others[0]).toEqual(used);
    expect(notes).toHaveLength(1);
  });

  test('a walk that ends in an error costs nothing but the files not told', async () => {
    const used = [{ offsetBytes: VOLUME_START, lengthBytes: 100 * BLOCK }];
    async function* layouts() {
      yield layout('a', 8192, [{ fileOffsetBytes: 0, volumeOffsetBytes: 0, lengthBytes: 8192 }]);
      throw new FilesystemError('FS_DAMAGED', 'a folder has two names');
    }
    const { cut, notes } = await cutFiles([{ used, volumes: [volume(layouts())] }]);
    expect(cut.usedBytes).toBe(100 * BLOCK);
    expect(notes).toHaveLength(1);
  });
});

describe('what becomes one chunk', () => {
  /** Files laid out one after the other, in a random order of the disk and with random gaps. */
  function layOut(files: readonly { path: string; sizeBytes: number }[], random: (limit: number) => number) {
    const shuffled = files.map((file) => ({ file, key: random(1 << 30) })).sort((a, b) => a.key - b.key);
    const placed = new Map<string, number>();
    let at = 4096;
    for (const { file } of shuffled) {
      placed.set(file.path, at);
      at += Math.ceil(file.sizeBytes / 4096) * 4096 + random(4) * 4096;
    }
    const layouts = files.map(({ path, sizeBytes }) => {
      const lengthBytes = Math.ceil(sizeBytes / 4096) * 4096;
      return layout(path, sizeBytes, [{ fileOffsetBytes: 0, volumeOffsetBytes: placed.get(path) ?? 0, lengthBytes }]);
    });
    return { layouts, diskBytes: at };
  }

  function generator(start: number): (limit: number) => number {
    let state = start;
    return (limit) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
  }

  /** Chunks as lists of `file@offset`, whatever their order. */
  async function chunksOf(files: readonly { path: string; sizeBytes: number }[], start: number): Promise<Set<string>> {
    const { layouts, diskBytes: sizeBytes } = layOut(files, generator(start));
    const { cut } = await cutFiles([
      { used: [{ offsetBytes: 0, lengthBytes: sizeBytes }], volumes: [{ startBytes: 0, sizeBytes, layouts }] },
    ]);
    const chunks = new Map<number, string[]>();
    for (const { offset, chunk, at } of piecesOf(cut)) {
      const file = layouts.find(({ extents: [extent] }) => {
        const from = extent?.volumeOffsetBytes ?? 0;
        return offset >= from && offset < from + (extent?.lengthBytes ?? 0);
      });
      if (!file) continue;
      const text = `${file.path}@${offset - (file.extents[0]?.volumeOffsetBytes ?? 0)}>${at}`;
      chunks.set(chunk, [...(chunks.get(chunk) ?? []), text]);
    }
    return new Set([...chunks.values()].map((texts) => texts.sort().join(' ')));
  }

  const random = generator(7);
  const files = Array.from({ length: 1500 }, (_, index) => ({
    path: `usr/lib/${index % 30}/file${index}`,
    sizeBytes: 1 + (random(12) === 0 ? random(1_500_000) : random(20_000)),
  }));

  test('the same files elsewhere on the disk are the same chunks', async () => {
    expect(await chunksOf(files, 2)).toEqual(await chunksOf(files, 1));
  });

  test('one more small file changes few chunks', async () => {
    const before = await chunksOf(files, 1);
    const after = await chunksOf([...files.slice(0, 400), { path: 'usr/lib/new', sizeBytes: 3000 }, ...files.slice(400)], 3);
    const changed = [...after].filter((chunk) => !before.has(chunk));
    expect(changed.length).toBeLessThanOrEqual(4);
    expect(before.size).toBeGreaterThan(100);
  });

  test('large files begin a chunk, and bundles are as long as they should be', async () => {
    const chunks = await chunksOf(files, 1);
    const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(bytes / chunks.size).toBeGreaterThan(defaultCut.bundleBytes / 2);
    for (const { path, sizeBytes } of files.filter((file) => file.sizeBytes >= FILE_CHUNK_BYTES)) {
      for (let at = 0; at + FILE_CHUNK_BYTES <= sizeBytes; at += FILE_CHUNK_BYTES)
        expect(chunks.has(`${path}@${at}>0`)).toBe(true);
    }
  });

  test('groups are no longer than their buffer and go forward over the disk', async () => {
    const { layouts, diskBytes: sizeBytes } = layOut(files, generator(5));
    const { cut } = await cutFiles([
      { used: [{ offsetBytes: 0, lengthBytes: sizeBytes }], volumes: [{ startBytes: 0, sizeBytes, layouts }] },
    ]);
    let previous = -1;
    for (let group = 0; group < cut.groupCount; group++) {
      const row = group * GROUP_FIELDS;
      let bytes = 0;
      for (let chunk = cut.groups[row + 1] ?? 0; chunk < (cut.groups[row + GROUP_FIELDS + 1] ?? 0); chunk++)
        bytes += cut.chunkBytes[chunk] ?? 0;
      expect(bytes).toBeLessThanOrEqual(GROUP_BYTES);
      const first = cut.pieceOffset[cut.groups[row + 2] ?? 0] ?? 0;
      expect(first).toBeGreaterThan(previous);
      previous = first;
    }
  });

  test('metadata scattered over the disk becomes few chunks', async () => {
    const used = Array.from({ length: 2000 }, (_, index) => ({ offsetBytes: index * 256 * 1024, lengthBytes: 4096 }));
    const { cut } = await cutFiles([{ used, volumes: [{ startBytes: 0, sizeBytes: 2 ** 30, layouts: [] }] }]);
    expect(cut.usedBytes).toBe(2000 * 4096);
    expect(cut.chunkCount).toBeLessThan(50);
  });
});
