/** A disk image in a file, made by the tools everyone uses and read or written by us; a fresh one for every test. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach } from 'vitest';
import { encodePartitionTable, layoutFingerprint, openFileDevice, openWritableFileDevice } from '../index.ts';
import type { PartitionTable } from '../table/partitionTable.ts';
import { readPartitionTable } from '../table/readPartitionTable.ts';
import { run, scratchFolder } from './machine.ts';

export const MIB = 1 << 20;
export const TABLE_TOOLS = ['sgdisk', 'sfdisk', 'mkfs.fat', 'mkfs.ntfs', 'mkfs.ext4'];

export interface TableImage {
  /** Of the running test; sparse, 96 MiB. */
  readonly path: string;
  readonly folder: string;
  bytes(): Buffer;
  sgdisk(...args: string[]): string;
  sfdisk(script: string, ...args: string[]): void;
  /** Fails when there is no table. */
  read(): Promise<PartitionTable>;
  fingerprint(): Promise<string>;
  /** Writes `table` to a file of its own and returns that file's path. */
  written(table: PartitionTable, sizeBytes: number): Promise<string>;
  corrupt(offsetBytes: number, bytes: Uint8Array): Promise<void>;
}

/** Registers the hooks that make and remove the image; call once at the top of a test file. */
export function tableImage(): TableImage {
  const scratch = scratchFolder();
  let path = '';
  let images = 0;
  beforeEach(() => {
    images += 1;
    path = join(scratch.path, `table-${images}.img`);
    writeFileSync(path, '');
    truncateSync(path, 96 * MIB);
  });
  afterAll(scratch.remove);
  return {
    get path() {
      return path;
    },
    folder: scratch.path,
    bytes: () => readFileSync(path),
    sgdisk: (...args) => run('sgdisk', [...args, path]),
    sfdisk: (script, ...args) => void run('sfdisk', ['-q', ...args, path], script),
    async read() {
      const device = await openFileDevice(path);
      try {
        const table = await readPartitionTable(device);
        if (table === null) throw new Error('no table was found');
        return table;
      } finally {
        await device.close();
      }
    },
    async fingerprint() {
      const device = await openFileDevice(path);
      try {
        return await layoutFingerprint(device);
      } finally {
        await device.close();
      }
    },
    async written(table, sizeBytes) {
      const copy = `${path}.${sizeBytes}.copy`;
      const writes = encodePartitionTable(table, sizeBytes);
      const device = await openWritableFileDevice(copy, { createSizeBytes: sizeBytes });
      for (const { offsetBytes, bytes } of writes) await device.write(offsetBytes, bytes);
      await device.close();
      return copy;
    },
    async corrupt(offsetBytes, bytes) {
      const device = await openWritableFileDevice(path);
      await device.write(offsetBytes, bytes);
      await device.close();
    },
  };
}

/** Number, start and size of each partition. */
export function places(table: PartitionTable): number[][] {
  return table.partitions.map(({ number, startBytes, sizeBytes }) => [number, startBytes, sizeBytes]);
}
