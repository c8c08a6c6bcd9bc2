/** What must hold for every layout, and for every disk however damaged. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiskError } from '../errors.ts';
import { encodePartitionTable, layoutFingerprint, memoryDevice, overlayDevice } from '../index.ts';
import { emptyDevice } from '../testing/emptyDevice.ts';
import type { GptTable, MbrTable, Partition, PartitionTable } from './partitionTable.ts';
import { partitionTypeName } from './partitionTypes.ts';
import { readPartitionTable } from './readPartitionTable.ts';

const hex = (digits: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
const guid = fc.tuple(hex(8), hex(4), hex(4), hex(4), hex(11)).map(([a, b, c, d, e]) => `${a}-${b}-${c}-${d}-${e}1`);
const sectorSize = fc.constantFrom(512, 4096);
const gptName = fc.string({ unit: 'grapheme', maxLength: 8 }).map((name) => name.replaceAll('\0', ''));

/** Pairs of gap and length, in sectors, one after another. */
const stretches = fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 1_000_000 })), { maxLength: 8 });

function place(startSector: number, pairs: readonly (readonly [number, number])[]): { start: number; sectors: number }[] {
  let at = startSector;
  return pairs.map(([gap, sectors]) => {
    const start = at + gap;
    at = start + sectors;
    return { start, sectors };
  });
}

const anyGpt = fc
  .record({
    sectorBytes: sectorSize,
    diskId: guid,
    entryCount: fc.constantFrom(128, 16, 64, 200, 1024),
    entryBytes: fc.constantFrom(128, 256),
    stretches,
    ids: fc.array(guid, { minLength: 8, maxLength: 8 }),
    types: fc.array(fc.oneof(guid, fc.constant('c12a7328-f81f-11d2-ba4b-00a0c93ec93b')), { minLength: 8, maxLength: 8 }),
    names: fc.array(gptName, { minLength: 8, maxLength: 8 }),
    attributes: fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { minLength: 8, maxLength: 8 }),
    numbers: fc.shuffledSubarray([1, 2, 3, 4, 5, 7, 9, 16], { minLength: 8 }),
    bootCodeHex: hex(880),
    mbrSignature: hex(8),
    slackSectors: fc.nat(100_000),
  })
  .map((any) => {
    const entrySectors = Math.ceil((any.entryCount * any.entryBytes) / any.sectorBytes);
    const firstUsable = 2 + entrySectors + 7;
    const places = place(firstUsable, any.stretches);
    const last = places.at(-1);
    const endSector = (last === undefined ? firstUsable : last.start + last.sectors) + any.slackSectors + 2;
    const partitions = places.map(({ start, sectors }, index): Partition => {
      const [type, attributes] = [any.types[index] ?? '', any.attributes[index] ?? 0n];
      return {
        number: any.numbers[index] ?? 0,
        role: 'primary',
        startBytes: start * any.sectorBytes,
        sizeBytes: sectors * any.sectorBytes,
        type,
        typeName: partitionTypeName(type),
        id: any.ids[index] ?? '',
        name: any.names[index] ?? '',
        bootable: (attributes & 4n) !== 0n,
        attributes: attributes.toString(),
        ebrOffsetBytes: null,
      };
    });
    const table: GptTable = {
      kind: 'gpt',
      sectorBytes: any.sectorBytes,
      diskId: any.diskId,
      partitions: partitions.sort((left, right) => left.number - right.number),
      warnings: [],
      source: 'primary',
      hybrid: false,
      bootCodeHex: any.bootCodeHex,
      entryCount: any.entryCount,
      entryBytes: any.entryBytes,
      entriesOffsetBytes: 2 * any.sectorBytes,
      firstUsableBytes: firstUsable * any.sectorBytes,
      lastUsableEndBytes: endSector * any.sectorBytes,
      mbrSignature: any.mbrSignature,
      hybridSlotsHex: '',
    };
    return { table, diskSizeBytes: (endSector + entrySectors + 1) * any.sectorBytes };
  });

const mbrType = fc.constantFrom(0x07, 0x0c, 0x82, 0x83, 0x8e, 0xfd).map((type) => `0x${type.toString(16).padStart(2, '0')}`);

const anyMbr = fc
  .record({
    sectorBytes: sectorSize,
    diskId: hex(8),
    primary: fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 1_000_000 })), { maxLength: 3 }),
    logical: stretches,
    types: fc.array(mbrType, { minLength: 11, maxLength: 11 }),
    hasExtended: fc.boolean(),
    order: fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }),
    bootCodeHex: hex(880).map((code) => `33c0${code.slice(4)}`),
    slackSectors: fc.nat(100_000),
  })
  .map((any) => {
    const partition = (
      number: number,
      role: Partition['role'],
      at: { start: number; sectors: number; type: string },
    ): Partition => ({
      number,
      role,
      startBytes: at.start * any.sectorBytes,
      sizeBytes: at.sectors * any.sectorBytes,
      type: at.type,
      typeName: partitionTypeName(at.type),
      id: null,
      name: '',
      bootable: number === 1,
      attributes: '0',
      ebrOffsetBytes: null,
    });
    const primary = place(1, any.primary).map((at, index) =>
      partition(index + 1, 'primary', { ...at, type: any.types[index] ?? '' }),
    );
    const lastPrimary = primary.at(-1);
    const containerStart = lastPrimary === undefined ? 1 : (lastPrimary.startBytes + lastPrimary.sizeBytes) / any.sectorBytes;
    // One free sector before each, for its boot record; two before the first, where the chain of another must begin.
    const inside = place(
      containerStart,
      any.logical.map(([gap, sectors], index) => [gap + (index === 0 ? 2 : 1), sectors] as const),
    );
    const end = (inside.at(-1)?.start ?? containerStart) + (inside.at(-1)?.sectors ?? 1) + any.slackSectors;
    const sectors = end - containerStart;
    const container = partition(4, 'extended', { start: containerStart, sectors, type: '0x0f' });
    const chain = any.order.flatMap((index) => inside[index] ?? []);
    const logical = chain.map((at, index) => partition(5 + index, 'logical', { ...at, type: any.types[3 + index] ?? '' }));
    const table: MbrTable = {
      kind: 'mbr',
      sectorBytes: any.sectorBytes,
      diskId: any.diskId,
      partitions: any.hasExtended ? [...primary, container, ...logical] : primary,
      warnings: [],
      source: 'primary',
      hybrid: false,
      bootCodeHex: any.bootCodeHex,
    };
    return { table, diskSizeBytes: end * any.sectorBytes };
  });

async function throughDisk(
  table: PartitionTable,
  diskSizeBytes: number,
  sectorBytes = table.sectorBytes,
): Promise<PartitionTable | null> {
  const device = overlayDevice(emptyDevice(diskSizeBytes, sectorBytes));
  for (const { offsetBytes, bytes } of encodePartitionTable(table, diskSizeBytes)) await device.write(offsetBytes, bytes);
  return readPartitionTable(device);
}

function withoutEbrs(table: PartitionTable | null): unknown {
  return table && { ...table, partitions: table.partitions.map((partition) => ({ ...partition, ebrOffsetBytes: null })) };
}

describe('writing then reading a table', () => {
  it('gives any GPT back, whatever the sector size of the device it is read through', async () => {
    await fc.assert(
      fc.asyncProperty(anyGpt, sectorSize, async ({ table, diskSizeBytes }, through) => {
        expect(await throughDisk(table, diskSizeBytes)).toEqual(table);
        expect(await throughDisk(table, diskSizeBytes, through)).toEqual(table);
      }),
      { numRuns: 60 },
    );
  });

  it('gives any MBR back, in any chain order, and is stable once boot records have places', async () => {
    await fc.assert(
      fc.asyncProperty(anyMbr, async ({ table, diskSizeBytes }) => {
        const once = await throughDisk(table, diskSizeBytes);
        expect(withoutEbrs(once)).toEqual(table);
        expect(once && (await throughDisk(once, diskSizeBytes))).toEqual(once);
      }),
      { numRuns: 100 },
    );
  });

  it('writes whole sectors inside the disk, none into a partition', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyGpt, anyMbr), async ({ table, diskSizeBytes }) => {
        for (const { offsetBytes, bytes } of encodePartitionTable(table, diskSizeBytes)) {
          const endBytes = offsetBytes + bytes.length;
          expect([offsetBytes % table.sectorBytes, bytes.length % table.sectorBytes]).toEqual([0, 0]);
          expect(endBytes).toBeLessThanOrEqual(diskSizeBytes);
          const hit = table.partitions.filter(
            ({ role, startBytes, sizeBytes }) =>
              role !== 'extended' && offsetBytes < startBytes + sizeBytes && endBytes > startBytes,
          );
          expect(hit).toEqual([]);
        }
      }),
      { numRuns: 60 },
    );
  });

  const gib = 1 << 30;
  const sample = fc.sample(anyGpt, { numRuns: 1, seed: 7 })[0]?.table;
  const disk: GptTable | undefined = sample && {
    ...sample,
    sectorBytes: 512,
    entryCount: 128,
    entryBytes: 128,
    entriesOffsetBytes: 1024,
  };
  const one: Partition = {
    number: 1,
    role: 'primary',
    startBytes: 1 << 20,
    sizeBytes: 1 << 20,
    type: '0fc63daf-8483-4772-8e79-3d69d8477de4',
    typeName: 'Linux filesystem',
    id: '01234567-89ab-cdef-0123-456789abcdef',
    name: '',
    bootable: false,
    attributes: '0',
    ebrOffsetBytes: null,
  };
  it.each<[string, Partial<Partition>[]]>([
    ['reaches past the end', [{ startBytes: gib - 4096, sizeBytes: 8192 }]],
    ['lies in the table', [{ startBytes: 512 }]],
    ['is not at a whole sector', [{ startBytes: (1 << 20) + 100 }]],
    ['is empty', [{ sizeBytes: 0 }]],
    ['overlaps another', [{}, { number: 2, startBytes: (1 << 20) + 512 }]],
    ['has the number of another', [{}, { startBytes: 4 << 20 }]],
    ['has no slot', [{ number: 129 }]],
    ['has no id', [{ id: null }]],
    ['has an MBR type', [{ type: '0x83' }]],
    ['has attributes beyond 64 bits', [{ attributes: String(1n << 64n) }]],
  ])('refuses a partition that %s', (_why, changes) => {
    const table = {
      ...(disk ?? fail()),
      firstUsableBytes: 34 * 512,
      partitions: changes.map((change) => ({ ...one, ...change })),
    };
    expect(() => encodePartitionTable(table, gib)).toThrow(expect.objectContaining({ code: 'TABLE_DOES_NOT_FIT' }));
  });

  it('refuses an MBR that would need more than 2^32 sectors', () => {
    const huge = { ...one, type: '0x83', sizeBytes: 3 * 1024 * gib };
    const table: MbrTable = {
      kind: 'mbr',
      sectorBytes: 512,
      diskId: '00000001',
      partitions: [huge],
      warnings: [],
      source: 'primary',
      hybrid: false,
      bootCodeHex: '',
    };
    expect(() => encodePartitionTable(table, 4 * 1024 * gib)).toThrow(expect.objectContaining({ code: 'TABLE_DOES_NOT_FIT' }));
  });
});

function fail(): never {
  throw new Error('no sample');
}

describe('reading a hostile disk', () => {
  const sizeBytes = 4 << 20;
  const small = (number: number, startBytes: number): Partition => ({
    number,
    role: 'logical',
    startBytes,
    sizeBytes: 64 << 10,
    type: '0x83',
    typeName: 'Linux filesystem',
    id: null,
    name: '',
    bootable: false,
    attributes: '0',
    ebrOffsetBytes: null,
  });
  const mbr: MbrTable = {
    kind: 'mbr',
    sectorBytes: 512,
    diskId: '12345678',
    partitions: [
      { ...small(1, 64 << 10), role: 'primary' },
      { ...small(2, 1 << 20), role: 'extended', type: '0x05', typeName: 'Extended', sizeBytes: 3 << 20 },
      small(5, (1 << 20) + 65536),
      small(6, 2 << 20),
      small(7, 3 << 20),
    ],
    warnings: [],
    source: 'primary',
    hybrid: false,
    bootCodeHex: '',
  };
  const gpt = {
    ...mbr,
    kind: 'gpt' as const,
    diskId: '11223344-5566-7788-99aa-bbccddeeff00',
    partitions: [1, 2].map((number) => ({
      ...small(number, number << 20),
      role: 'primary' as const,
      type: '0fc63daf-8483-4772-8e79-3d69d8477de4',
      id: `01234567-89ab-cdef-0123-456789abcde${number}`,
    })),
    entryCount: 128,
    entryBytes: 128,
    entriesOffsetBytes: 1024,
    firstUsableBytes: 34 * 512,
    lastUsableEndBytes: sizeBytes - 33 * 512,
    mbrSignature: '00000000',
    hybridSlotsHex: '',
  };

  for (const table of [mbr, gpt]) {
    it(`ends in a table inside the disk, null, or a coded error (${table.kind}, bytes changed at random where the table is)`, async () => {
      const clean = Buffer.alloc(sizeBytes);
      const writes = encodePartitionTable(table, sizeBytes);
      for (const { offsetBytes, bytes } of writes) clean.set(bytes, offsetBytes);
      const hot = writes.flatMap(({ offsetBytes, bytes }) =>
        Array.from({ length: Math.min(bytes.length, 512) }, (_, at) => offsetBytes + at),
      );
      const byte = fc.oneof(fc.constantFrom(0, 1, 5, 0x0f, 0x7f, 0x80, 0xee, 0xff), fc.nat(255));
      const changes = fc.array(fc.tuple(fc.nat(hot.length - 1), byte), { minLength: 1, maxLength: 24 });
      await fc.assert(
        fc.asyncProperty(changes, fc.boolean(), async (list, killPrimary) => {
          const bytes = Buffer.from(clean);
          if (killPrimary) bytes.fill(0, 512, 1024);
          for (const [index, value] of list) bytes.writeUInt8(value, hot[index] ?? 0);
          const device = memoryDevice(bytes);
          try {
            const found = await readPartitionTable(device);
            for (const partition of found?.partitions ?? []) {
              expect(partition.startBytes).toBeGreaterThan(0);
              expect(partition.startBytes + partition.sizeBytes).toBeLessThanOrEqual(sizeBytes);
            }
          } catch (error) {
            if (!(error instanceof DiskError)) throw error;
            expect(['TABLE_DAMAGED', 'TABLE_TOO_LARGE']).toContain(error.code);
          }
          expect(await layoutFingerprint(device)).toMatch(/^[0-9a-f]{64}$/);
        }),
        { numRuns: 250 },
      );
    });
  }

  it('ends on pure noise that is signed like a table', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), fc.boolean(), async (noise, gptLike) => {
        const bytes = Buffer.from(noise);
        bytes.writeUInt16LE(0xaa55, 510);
        for (const at of [446, 462, 478, 494]) bytes.writeUInt8(0, at);
        if (gptLike) {
          bytes.writeUInt8(0xee, 450);
          bytes.write('EFI PART', 512, 'latin1');
        }
        await readPartitionTable(memoryDevice(bytes)).catch((error: unknown) => {
          if (!(error instanceof DiskError)) throw error;
        });
      }),
      { numRuns: 100 },
    );
  });

  it('stops a chain of logical partitions that never ends', async () => {
    const bytes = Buffer.alloc(sizeBytes);
    const writes = encodePartitionTable({ ...mbr, partitions: mbr.partitions.slice(0, 2) }, sizeBytes);
    for (const write of writes) bytes.set(write.bytes, write.offsetBytes);
    for (let link = 0; link < 3000; link += 1) {
      const at = (1 << 20) + link * 1024;
      bytes.writeUInt8(0x83, at + 450);
      bytes.writeUInt32LE(1, at + 454);
      bytes.writeUInt32LE(1, at + 458);
      bytes.writeUInt8(5, at + 466);
      bytes.writeUInt32LE((link + 1) * 2, at + 470);
      bytes.writeUInt32LE(2, at + 474);
      bytes.writeUInt16LE(0xaa55, at + 510);
    }
    const table = await readPartitionTable(memoryDevice(bytes));
    expect(table?.partitions).toHaveLength(2 + 128);
    expect(table?.warnings).toEqual([expect.stringContaining('more than 128')]);
  });
});
