/** Disks made of a partition table and noise, without any tool: for everything that is about where bytes lie. */
import { createCipheriv } from 'node:crypto';
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { type Extent, encodePartitionTable, type Partition, type PartitionTable } from '@diskfleet/disk';

export const SECTOR_BYTES = 512;
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';

/** The same bytes for the same seed; many MiB of it cost nothing. */
function noise(lengthBytes: number, seed: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(lengthBytes));
}

/** In sectors. Logical partitions have their boot record `ebrLead` sectors before them. */
export interface Span {
  readonly start: number;
  readonly count: number;
  readonly logical?: boolean;
  readonly ebrLead?: number;
}

function base(number: number, { start, count }: Span): Omit<Partition, 'role' | 'type' | 'typeName' | 'id' | 'ebrOffsetBytes'> {
  const place = { startBytes: start * SECTOR_BYTES, sizeBytes: count * SECTOR_BYTES };
  return { number, ...place, name: '', bootable: false, attributes: '0' };
}

export function gptOf(spans: readonly Span[], sectors: number): PartitionTable {
  return {
    kind: 'gpt',
    sectorBytes: SECTOR_BYTES,
    diskId: 'f2a5e5cd-2a5c-44ba-9c3e-4d0be7a9d1f0',
    partitions: spans.map((span, index) => ({
      ...base(index + 1, span),
      role: 'primary',
      type: LINUX,
      typeName: 'Linux filesystem',
      id: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
      name: `part ${index + 1}`,
      ebrOffsetBytes: null,
    })),
    warnings: [],
    source: 'primary',
    hybrid: false,
    bootCodeHex: '00'.repeat(440),
    entryCount: 128,
    entryBytes: 128,
    entriesOffsetBytes: 1024,
    firstUsableBytes: 34 * SECTOR_BYTES,
    lastUsableEndBytes: (sectors - 33) * SECTOR_BYTES,
    mbrSignature: '00000000',
    hybridSlotsHex: '',
  };
}

/** Primary ones first; the logical ones in an extended partition that reaches from the first boot record to the end of the last. */
export function mbrOf(spans: readonly Span[]): PartitionTable {
  const type = { typeName: 'Linux', id: null };
  const primary = spans.filter(({ logical }) => logical !== true);
  const logical = spans.filter((span) => span.logical === true);
  const partitions: Partition[] = primary.map((span, index) => {
    return { ...base(index + 1, span), ...type, role: 'primary', type: '0x83', ebrOffsetBytes: null };
  });
  const [first, last] = [logical[0], logical.at(-1)];
  if (first !== undefined && last !== undefined) {
    const start = first.start - (first.ebrLead ?? 1);
    const whole = { start, count: last.start + last.count - start };
    const container = { role: 'extended', type: '0x05', typeName: 'Extended', id: null, ebrOffsetBytes: null } as const;
    partitions.push({ ...base(primary.length + 1, whole), ...container });
    for (const [index, span] of logical.entries()) {
      const ebrOffsetBytes = (span.start - (span.ebrLead ?? 1)) * SECTOR_BYTES;
      partitions.push({ ...base(index + 5, span), ...type, role: 'logical', type: '0x83', ebrOffsetBytes });
    }
  }
  return {
    kind: 'mbr',
    sectorBytes: SECTOR_BYTES,
    diskId: '1badcafe',
    partitions,
    warnings: [],
    source: 'primary',
    hybrid: false,
    bootCodeHex: '00'.repeat(440),
  };
}

/** Noise everywhere, then the table. */
export function makeNoiseDisk(path: string, table: PartitionTable, options: { sectors: number; seed: number }): void {
  const bytes = noise(options.sectors * SECTOR_BYTES, options.seed);
  // Neither a table of its own nor one half of a GPT may come of chance.
  bytes.fill(0, 0, 34 * SECTOR_BYTES);
  bytes.fill(0, bytes.length - 33 * SECTOR_BYTES);
  for (const write of encodePartitionTable(table, bytes.length)) bytes.set(write.bytes, write.offsetBytes);
  writeFileSync(path, bytes);
}

export function fillWithNoise(path: string, extent: Extent, seed: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, noise(extent.lengthBytes, seed), 0, extent.lengthBytes, extent.offsetBytes);
  closeSync(file);
}

export function bytesOf(path: string, { offsetBytes, lengthBytes }: Extent): Buffer {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(lengthBytes);
  readSync(file, bytes, 0, lengthBytes, offsetBytes);
  closeSync(file);
  return bytes;
}
