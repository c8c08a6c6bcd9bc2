/**
 * The suite every reader with `fileLayouts` passes. Besides a healthy volume it wants hostile bytes: those are `exercise`'s, which
 * asks for layouts too, so `mutationContract` covers them.
 */
import type { BlockDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DirectoryEntry, FileLayout, Filesystem } from '../filesystem.ts';
import { codedOnly } from './exercise.ts';
import { failingDevice, guardedDevice } from './guardedDevice.ts';

export interface LayoutFixture {
  /** A healthy volume, small, with folders in folders, an empty file, and where the format knows them: hard links, sparse files. */
  readonly device: BlockDevice;
  open(device: BlockDevice): Promise<Filesystem>;
  /** Unit of extents; the filesystem's block size when absent. */
  readonly alignBytes?: number;
  /** What a file is given at a time, where that is more than `alignBytes`: clusters that begin anywhere on the volume. */
  readonly unitBytes?: number;
  /** Files that hold something and have no layout all the same: inline, compressed, encrypted. Paths as in `FileLayout`. */
  readonly withoutLayout?: (path: string) => boolean;
  /** Files with holes or parts never written: the layout must be shorter than the file. */
  readonly sparse?: readonly string[];
  /** Names of one file each: exactly one of them must be told. */
  readonly hardLinks?: readonly (readonly string[])[];
  dispose(): Promise<void>;
}

async function allLayouts(filesystem: Filesystem): Promise<FileLayout[]> {
  if (!filesystem.fileLayouts) throw new Error('this reader has no fileLayouts');
  const layouts: FileLayout[] = [];
  for await (const layout of filesystem.fileLayouts()) layouts.push(layout);
  return layouts;
}

async function filesByPath(filesystem: Filesystem): Promise<Map<string, DirectoryEntry>> {
  const files = new Map<string, DirectoryEntry>();
  const visit = async (directory: DirectoryEntry, prefix: string): Promise<void> => {
    for await (const entry of filesystem.readDirectory(directory)) {
      if (entry.type === 'directory') await visit(entry, `${prefix}${entry.name}/`);
      else if (entry.type === 'file') files.set(`${prefix}${entry.name}`, entry);
    }
  };
  await visit(await filesystem.root(), '');
  return files;
}

async function readWhole(filesystem: Filesystem, file: DirectoryEntry): Promise<Buffer> {
  const content = await filesystem.openFile(file);
  const bytes = Buffer.alloc(content.sizeBytes);
  await content.read(0, bytes);
  return bytes;
}

/** What the extents alone say of a file: everything outside them is zero. */
async function readByExtents(device: BlockDevice, { sizeBytes, extents }: FileLayout): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of extents) {
    const piece = bytes.subarray(fileOffsetBytes, fileOffsetBytes + lengthBytes);
    await device.read(volumeOffsetBytes, piece);
  }
  return bytes;
}

/** Below 0 when `left` is told before `right`: names compared byte by byte, folder by folder. */
function compareWalk(left: string, right: string): number {
  const [lefts, rights] = [left.split('/'), right.split('/')];
  for (let index = 0; ; index++) {
    const [one, other] = [lefts[index], rights[index]];
    if (one === undefined || other === undefined) return lefts.length - rights.length;
    const order = Buffer.compare(Buffer.from(one), Buffer.from(other));
    if (order !== 0) return order;
  }
}

/** Registers the suite under `name`. `makeFixture` runs once. */
export function layoutContract(name: string, makeFixture: () => Promise<LayoutFixture>): void {
  describe(`${name}: file layouts`, () => {
    let fixture: LayoutFixture;
    let filesystem: Filesystem;
    let layouts: FileLayout[];
    let files: Map<string, DirectoryEntry>;
    beforeAll(async () => {
      fixture = await makeFixture();
      filesystem = await fixture.open(fixture.device);
      layouts = await allLayouts(filesystem);
      files = await filesByPath(filesystem);
    });
    afterAll(() => fixture?.dispose());

    test('extents are in file order, aligned, whole blocks of the file and inside used blocks', async () => {
      expect(layouts.length).toBeGreaterThan(0);
      const align = fixture.alignBytes ?? filesystem.info.blockBytes;
      const unit = fixture.unitBytes ?? align;
      const used = (await filesystem.usedMap()).extents;
      const isUsed = (from: number, to: number) =>
        used.some(({ offsetBytes, lengthBytes }) => offsetBytes <= from && to <= offsetBytes + lengthBytes);
      for (const { path, sizeBytes, extents } of layouts) {
        expect(extents.length, path).toBeGreaterThan(0);
        let fileEnd = 0;
        for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of extents) {
          expect(fileOffsetBytes, path).toBeGreaterThanOrEqual(fileEnd);
          expect(lengthBytes, path).toBeGreaterThan(0);
          expect(volumeOffsetBytes % align, path).toBe(0);
          for (const value of [fileOffsetBytes, lengthBytes]) expect(value % unit, path).toBe(0);
          fileEnd = fileOffsetBytes + lengthBytes;
          expect(isUsed(volumeOffsetBytes, volumeOffsetBytes + lengthBytes), path).toBe(true);
        }
        expect(fileEnd, path).toBeLessThan(sizeBytes + unit);
      }
    });

    test('no block belongs to two files', () => {
      const all = layouts.flatMap(({ path, extents }) => extents.map((extent) => ({ ...extent, path })));
      all.sort((a, b) => a.volumeOffsetBytes - b.volumeOffsetBytes);
      for (const [index, extent] of all.entries()) {
        const next = all[index + 1];
        if (next === undefined) break;
        expect(next.volumeOffsetBytes, `${extent.path} and ${next.path}`).toBeGreaterThanOrEqual(
          extent.volumeOffsetBytes + extent.lengthBytes,
        );
      }
    });

    test('a file read through its extents equals the file opened', async () => {
      for (const layout of layouts) {
        const entry = files.get(layout.path);
        if (entry === undefined) throw new Error(`${layout.path} is no file of this volume`);
        expect(layout).toMatchObject({ ref: entry.ref, sizeBytes: entry.sizeBytes });
        const [one, other] = [await readByExtents(fixture.device, layout), await readWhole(filesystem, entry)];
        expect(Buffer.compare(one, other), layout.path).toBe(0);
      }
    });

    test('every file that holds something is told, one with several names once', async () => {
      const told = new Set(layouts.map(({ ref }) => ref));
      expect(told.size).toBe(layouts.length);
      for (const [path, entry] of files) {
        if (told.has(entry.ref) || fixture.withoutLayout?.(path)) continue;
        expect(
          (await readWhole(filesystem, entry)).every((byte) => byte === 0),
          `${path} is missing`,
        ).toBe(true);
      }
      for (const names of fixture.hardLinks ?? []) {
        expect(layouts.filter(({ path }) => names.includes(path)).map(({ path }) => path)).toEqual([
          [...names].sort(compareWalk)[0],
        ]);
      }
    });

    test('holes and parts never written have no extent', () => {
      for (const path of fixture.sparse ?? []) {
        const layout = layouts.find((candidate) => candidate.path === path);
        const lengthBytes = layout?.extents.reduce((sum, extent) => sum + extent.lengthBytes, 0) ?? 0;
        expect(lengthBytes, path).toBeLessThan(files.get(path)?.sizeBytes ?? 0);
      }
    });

    test('the order is that of the names, folder by folder, and the same on a second reading', async () => {
      // A name that is no valid text is shown with U+FFFD in it, and its place follows from bytes that the path does not keep.
      const paths = layouts.map(({ path }) => path).filter((path) => !path.includes('\ufffd'));
      expect(paths).toEqual([...paths].sort(compareWalk));
      expect(await allLayouts(await fixture.open(fixture.device))).toEqual(layouts);
    });

    test('a walk can be left early', async () => {
      for await (const { path } of filesystem.fileLayouts?.() ?? []) {
        expect(path).toBe(layouts[0]?.path);
        break;
      }
    });

    test('a failing medium shows as a coded error, whenever it fails', async () => {
      for (const failFrom of [0, 1, 2, 3, 5, 8, 13, 21]) {
        await codedOnly(async () => allLayouts(await fixture.open(failingDevice(fixture.device, failFrom))));
      }
    });

    test('it takes few reads', async () => {
      const device = guardedDevice(fixture.device, { reads: 3000, bytes: 256 << 20, readBytes: 16 << 20 });
      expect(await allLayouts(await fixture.open(device))).toEqual(layouts);
    });
  });
}
