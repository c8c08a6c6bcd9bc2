/**
 * Hostile bytes: a small image is damaged at random places of its metadata, again and again, and everything the reader offers is
 * tried on it. Allowed: right answers, wrong answers, coded errors. Not allowed: any other error, a hang, greed.
 */
import { type BlockDevice, type Extent, memoryDevice } from '@diskfleet/disk';
import { describe, expect, test } from 'vitest';
import type { FilesystemReader } from '../filesystem.ts';
import { codedOnly, exercise } from './exercise.ts';
import { guardedDevice } from './guardedDevice.ts';

export interface MutationOptions {
  readonly reader: FilesystemReader;
  /** A healthy image of a few MiB, and where its metadata lies (default: the reader's own used map). */
  makeImage(): Promise<{ bytes: Uint8Array; metadata?: readonly Extent[] }>;
  /** Default 300. */
  readonly runs?: number;
  /** To repeat a failure: the seed it printed, or DISKFLEET_FUZZ_SEED. */
  readonly seed?: number;
}

/** A small repeatable generator (mulberry32): the next whole number below `limit`. */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

const nasty = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe];

/** Damages 1 to 8 places; returns how to undo it. */
function damage(bytes: Uint8Array, metadata: readonly Extent[], random: (limit: number) => number): () => void {
  const saved: { at: number; was: Uint8Array }[] = [];
  for (let times = 1 + random(8); times > 0; times--) {
    const extent = metadata[random(metadata.length)];
    if (!extent) continue;
    const at = extent.offsetBytes + random(extent.lengthBytes);
    const width = [1, 1, 2, 4, 8, 32][random(6)] ?? 1;
    const target = bytes.subarray(at, Math.min(at + width, bytes.length));
    saved.push({ at, was: Uint8Array.from(target) });
    const fill = nasty[random(nasty.length)] ?? 0;
    for (let index = 0; index < target.length; index++) target[index] = random(2) ? fill : random(256);
  }
  return () => {
    for (const { at, was } of saved.reverse()) bytes.set(was, at);
  };
}

/** Registers the test under `name`. */
export function mutationContract(name: string, options: MutationOptions): void {
  describe(`${name}: damaged metadata`, () => {
    const seed = options.seed ?? Number(process.env.DISKFLEET_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
    test(`gives coded errors at worst (seed ${seed})`, { timeout: 120_000 }, async () => {
      const { bytes, metadata } = await options.makeImage();
      const healthy = memoryDevice(bytes);
      expect(await options.reader.probe(healthy)).toBe(true);
      const places = metadata ?? (await (await options.reader.open(healthy)).usedMap()).extents;
      const random = seededRandom(seed);
      const untouched = Buffer.from(bytes);
      for (let run = 0; run < (options.runs ?? 300); run++) {
        const undo = damage(bytes, places, random);
        try {
          await exerciseDevice(options.reader, memoryDevice(bytes));
        } catch (error) {
          throw new Error(`seed ${seed}, run ${run}: ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
        }
        undo();
      }
      expect(untouched.equals(bytes)).toBe(true);
    });
  });
}

async function exerciseDevice(reader: FilesystemReader, device: BlockDevice): Promise<void> {
  const guarded = guardedDevice(device, { reads: 200_000, bytes: 4 * 2 ** 30, readBytes: 64 << 20 });
  const startedAt = process.cpuUsage();
  const heapBefore = process.memoryUsage().rss;
  if (await reader.probe(guarded)) {
    await codedOnly(async () => exercise(await reader.open(guarded)));
  }
  const cpu = process.cpuUsage(startedAt);
  const cpuMs = (cpu.user + cpu.system) / 1000;
  if (cpuMs > 2000) throw new Error(`took ${Math.round(cpuMs)} ms of CPU`);
  const grownBytes = process.memoryUsage().rss - heapBefore;
  if (grownBytes > 512 << 20) throw new Error(`memory grew by ${grownBytes >> 20} MiB`);
}
