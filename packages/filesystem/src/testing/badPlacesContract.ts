/**
 * Bad sectors in metadata: every place that a reader looks at fails once, alone. A volume that opens has a map all the same, which
 * takes more rather than less and says so; and a place that is lost in one folder does not hide the others.
 */
import { type Extent, memoryDevice, subtractExtents } from '@diskfleet/disk';
import { describe, expect, test } from 'vitest';
import type { DirectoryEntry, Filesystem, FilesystemReader } from '../filesystem.ts';
import { isCoded } from './exercise.ts';
import { deviceWithBadPlaces } from './guardedDevice.ts';
import { seededRandom } from './mutationContract.ts';

const PLACE_BYTES = 4096;
/** Beyond this a sample is tried. */
const MOST_PLACES = 150;

export interface BadPlacesOptions {
  readonly reader: FilesystemReader;
  /** A healthy image of some MiB with folders in it. */
  makeImage(): Promise<Uint8Array>;
}

/** The places read while the volume is opened, mapped and listed. */
async function placesRead(reader: FilesystemReader, bytes: Uint8Array): Promise<number[]> {
  const places = new Set<number>();
  const inner = memoryDevice(bytes);
  const filesystem = await reader.open({
    ...inner,
    async read(offsetBytes, target) {
      const last = offsetBytes + Math.max(1, target.length) - 1;
      for (let place = Math.floor(offsetBytes / PLACE_BYTES); place * PLACE_BYTES <= last; place++) places.add(place);
      await inner.read(offsetBytes, target);
    },
  });
  await filesystem.usedMap();
  await pathsOf(filesystem);
  return [...places].sort((a, b) => a - b);
}

/** Folders that cannot be read count as empty. */
async function pathsOf(filesystem: Filesystem): Promise<string[]> {
  const paths: string[] = [];
  const visit = async (directory: DirectoryEntry, prefix: string): Promise<void> => {
    try {
      for await (const entry of filesystem.readDirectory(directory)) {
        paths.push(`${prefix}${entry.name}`);
        if (entry.type === 'directory') await visit(entry, `${prefix}${entry.name}/`);
      }
    } catch (error) {
      if (!isCoded(error)) throw error;
    }
  };
  try {
    await visit(await filesystem.root(), '');
  } catch (error) {
    if (!isCoded(error)) throw error;
  }
  return paths;
}

function sampleOf(places: readonly number[], seed: number): number[] {
  const random = seededRandom(seed);
  const rest = [...places];
  while (rest.length > MOST_PLACES) rest.splice(random(rest.length), 1);
  return rest;
}

async function openOrNull(reader: FilesystemReader, device: Parameters<FilesystemReader['open']>[0]): Promise<Filesystem | null> {
  try {
    return await reader.open(device);
  } catch (error) {
    if (!isCoded(error)) throw error;
    return null;
  }
}

const isWhole = (extents: readonly Extent[], totalBytes: number) => extents[0]?.lengthBytes === totalBytes;

/** Registers the test under `name`. */
export function badPlacesContract(name: string, { reader, makeImage }: BadPlacesOptions): void {
  const seed = Number(process.env.DISKFLEET_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  describe(`${name}: bad sectors in metadata`, () => {
    test(`the map takes more rather than less, other folders stay (seed ${seed})`, { timeout: 120_000 }, async () => {
      const bytes = await makeImage();
      const healthy = await reader.open(memoryDevice(bytes));
      const [map, paths] = [await healthy.usedMap(), await pathsOf(healthy)];
      expect(map.warnings).toEqual([]);
      const places = sampleOf(await placesRead(reader, bytes), seed);
      let [opened, believed, listed] = [0, 0, 0];
      for (const place of places) {
        const bad = [{ offsetBytes: place * PLACE_BYTES, lengthBytes: PLACE_BYTES }];
        const device = deviceWithBadPlaces(memoryDevice(bytes), bad);
        const filesystem = await openOrNull(reader, device);
        if (filesystem === null) continue;
        opened += 1;
        const damaged = await filesystem.usedMap();
        const at = `place ${place}`;
        expect(subtractExtents(map.extents, damaged.extents), at).toEqual([]);
        const same = subtractExtents(damaged.extents, map.extents).length === 0;
        if (!same) expect(damaged.warnings.length, at).toBeGreaterThan(0);
        if (!isWhole(damaged.extents, filesystem.info.totalBytes)) believed += 1;
        const found = await pathsOf(filesystem);
        expect(new Set(paths), at).toEqual(new Set([...paths, ...found]));
        listed += found.length;
      }
      // What lies at one place alone is enough for neither the volume nor its map to be lost, but for a few.
      expect(opened).toBeGreaterThan(places.length / 2);
      expect(believed).toBeGreaterThan(opened / 2);
      expect(listed / opened).toBeGreaterThan(paths.length * 0.7);
    });
  });
}
