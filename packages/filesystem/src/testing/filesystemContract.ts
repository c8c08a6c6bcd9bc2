/**
 * The one suite every reader passes, whatever the format. A format's own tests add golden images for its features; what is
 * promised by `Filesystem` itself is tested here and only here.
 */
import { type BlockDevice, type Extent, sliceDevice } from '@diskfleet/disk';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';
import { codedOnly, exercise, isCoded } from './exercise.ts';
import { failingDevice, guardedDevice } from './guardedDevice.ts';
import { expectSameTree, type Tree, type TreeEntry, treeOfFilesystem } from './tree.ts';

export interface FilesystemFixture {
  /** A healthy volume, small (the suite reads all of it several times), with folders and files, one of them ≥ 1 MiB. */
  readonly device: BlockDevice;
  open(device: BlockDevice): Promise<Filesystem>;
  /** What the volume holds as another implementation shows it. */
  readonly tree?: Tree;
  readonly ignoreInTree?: readonly (keyof TreeEntry)[];
  /** The used extents as another implementation sees them (partclone). */
  readonly usedExtents?: readonly Extent[];
  /** Unit the used map is aligned to; the filesystem's block size when absent. */
  readonly alignBytes?: number;
  dispose(): Promise<void>;
}

async function allEntries(filesystem: Filesystem): Promise<DirectoryEntry[]> {
  const entries: DirectoryEntry[] = [];
  const visit = async (directory: DirectoryEntry): Promise<void> => {
    for await (const entry of filesystem.readDirectory(directory)) {
      entries.push(entry);
      if (entry.type === 'directory') await visit(entry);
    }
  };
  await visit(await filesystem.root());
  return entries;
}

async function listed(filesystem: Filesystem, directory: DirectoryEntry): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of filesystem.readDirectory(directory)) names.push(entry.name);
  return names;
}

/** Fails unless the action rejects with this code. */
export async function expectCode(action: Promise<unknown>, code: FilesystemError['code']): Promise<void> {
  const error = await action.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FilesystemError);
  expect(error).toMatchObject({ code });
}

/** Registers the suite under `name`. `makeFixture` runs once. */
export function filesystemContract(name: string, makeFixture: () => Promise<FilesystemFixture>): void {
  describe(`${name}: Filesystem contract`, () => {
    let fixture: FilesystemFixture;
    let filesystem: Filesystem;
    let entries: DirectoryEntry[];
    beforeAll(async () => {
      fixture = await makeFixture();
      filesystem = await fixture.open(fixture.device);
      entries = await allEntries(filesystem);
    });
    afterAll(() => fixture?.dispose());
    const files = () => entries.filter((entry) => entry.type === 'file');
    const largest = () => {
      const [first] = files().sort((a, b) => b.sizeBytes - a.sizeBytes);
      if (!first) throw new Error('the fixture has no file');
      return first;
    };

    test('the description is sane', () => {
      const { info } = filesystem;
      expect(info.totalBytes).toBeLessThanOrEqual(fixture.device.sizeBytes);
      expect(info.totalBytes).toBeGreaterThan(0);
      expect(info.blockBytes).toBeGreaterThan(0);
      expect(info.usedBytes).toBeGreaterThan(0);
      expect(info.usedBytes).toBeLessThanOrEqual(info.totalBytes);
      expect(info.clean).toBe(true);
    });

    test('the used map is sorted, disjoint, merged, aligned, inside the volume and adds up', async () => {
      const map = await filesystem.usedMap();
      const align = fixture.alignBytes ?? filesystem.info.blockBytes;
      const total = filesystem.info.totalBytes;
      let previousEnd = -1;
      let sum = 0;
      for (const { offsetBytes, lengthBytes } of map.extents) {
        const end = offsetBytes + lengthBytes;
        expect(offsetBytes).toBeGreaterThan(previousEnd);
        expect(lengthBytes).toBeGreaterThan(0);
        expect(offsetBytes % align).toBe(0);
        if (end !== total) expect(end % align).toBe(0);
        expect(end).toBeLessThanOrEqual(total);
        previousEnd = end;
        sum += lengthBytes;
      }
      expect(map.usedBytes).toBe(sum);
      expect(map.warnings).toEqual([]);
    });

    test('the used map equals the other implementation’s', async ({ skip }) => {
      if (!fixture.usedExtents) skip('the fixture names no other implementation');
      expect((await filesystem.usedMap()).extents).toEqual(fixture.usedExtents);
    });

    test('the used map is the same on a second reading', async () => {
      expect(await filesystem.usedMap()).toEqual(await (await fixture.open(fixture.device)).usedMap());
    });

    test('the root is a folder without a name', async () => {
      const root = await filesystem.root();
      expect(root).toMatchObject({ name: '', type: 'directory', sizeBytes: 0, linkTarget: null });
      expect((await listed(filesystem, root)).length).toBeGreaterThan(0);
    });

    test('names are clean, unique within their folder, and entries are well formed', async () => {
      for (const entry of entries) {
        expect(entry.name).not.toMatch(/[/\0]/);
        expect(['', '.', '..']).not.toContain(entry.name);
        expect(entry.nameBytes.length).toBeGreaterThan(0);
        expect(Number.isSafeInteger(entry.sizeBytes) && entry.sizeBytes >= 0).toBe(true);
        if (entry.type === 'directory') expect(entry.sizeBytes).toBe(0);
        expect(entry.linkTarget === null).toBe(entry.type !== 'symlink');
        if (entry.modifiedAtMs !== null) expect(Number.isFinite(entry.modifiedAtMs)).toBe(true);
      }
    });

    test('every file reads in full, and the tree equals the other implementation’s', async () => {
      const tree = await treeOfFilesystem(filesystem);
      expect(tree.size).toBe(entries.length);
      if (fixture.tree) expectSameTree(tree, fixture.tree, { ignore: fixture.ignoreInTree ?? [] });
    });

    test('a file read in random pieces equals the file read in full', async () => {
      const content = await filesystem.openFile(largest());
      const wholeBytes = Math.min(content.sizeBytes, 8 << 20);
      const whole = new Uint8Array(wholeBytes);
      await content.read(0, whole);
      const piece = fc
        .tuple(fc.nat(wholeBytes), fc.nat(200_000))
        .map(([offset, length]) => ({ offset, length: Math.min(length, wholeBytes - offset) }));
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 4 }), async (pieces) => {
          await Promise.all(
            pieces.map(async ({ offset, length }) => {
              const target = new Uint8Array(length).fill(0xa5);
              await content.read(offset, target);
              expect(Buffer.compare(target, whole.subarray(offset, offset + length))).toBe(0);
            }),
          );
        }),
        { numRuns: 60 },
      );
    });

    test('a read outside the file is refused by code, a read of nothing at its end is fine', async () => {
      for (const file of [largest(), ...files().slice(0, 3)]) {
        const content = await filesystem.openFile(file);
        expect(content.sizeBytes).toBe(file.sizeBytes);
        await content.read(content.sizeBytes, new Uint8Array(0));
        for (const offset of [
          content.sizeBytes,
          content.sizeBytes + 4096,
          -1,
          0.5,
          Number.NaN,
          Number.POSITIVE_INFINITY,
          2 ** 60,
        ]) {
          await expectCode(content.read(offset, new Uint8Array(1)), 'FS_OUT_OF_RANGE');
        }
        const tooLong = Math.min(content.sizeBytes, 4096) + 1;
        await expectCode(content.read(content.sizeBytes + 1 - tooLong, new Uint8Array(tooLong)), 'FS_OUT_OF_RANGE');
      }
    });

    test('a file is not listed and a folder is not opened', async () => {
      const root = await filesystem.root();
      await expectCode(filesystem.openFile(root), 'FS_NOT_A_FILE');
      await expectCode(listed(filesystem, largest()), 'FS_NOT_A_DIRECTORY');
      for (const link of entries.filter((entry) => entry.type === 'symlink').slice(0, 2)) {
        await expectCode(filesystem.openFile(link), 'FS_NOT_A_FILE');
        await expectCode(listed(filesystem, link), 'FS_NOT_A_DIRECTORY');
      }
    });

    test('an entry that lies about its type or handle is refused by code', async () => {
      const root = await filesystem.root();
      await expectCode(filesystem.openFile({ ...root, type: 'file' }), 'FS_NOT_A_FILE');
      await expectCode(listed(filesystem, { ...largest(), type: 'directory' }), 'FS_NOT_A_DIRECTORY');
      for (const ref of ['', 'nonsense', '-1', '0', '1e99', '999999999999999', '4294967295']) {
        const before = await listed(filesystem, { ...root, ref }).catch((error: unknown) => error);
        if (!Array.isArray(before)) expect(isCoded(before)).toBe(true);
        const opened = await filesystem.openFile({ ...largest(), ref }).catch((error: unknown) => error);
        if (opened instanceof Error) expect(isCoded(opened)).toBe(true);
      }
    });

    test('two walks at once do not disturb each other', async () => {
      const root = await filesystem.root();
      const [first, second] = await Promise.all([listed(filesystem, root), listed(filesystem, root)]);
      expect(first).toEqual(second);
    });

    test('a walk can be left early', async () => {
      for await (const entry of filesystem.readDirectory(await filesystem.root())) {
        expect(entry.name).not.toBe('');
        break;
      }
    });

    test('a failing medium shows as a coded error, whenever it fails', async () => {
      for (const failFrom of [0, 1, 2, 3, 4, 6, 9, 14, 30]) {
        await codedOnly(async () => exercise(await fixture.open(failingDevice(fixture.device, failFrom)), 200));
      }
      const dead = await fixture.open(failingDevice(fixture.device, 0)).catch((error: unknown) => error);
      expect(dead).toMatchObject({ code: 'DISK_READ_FAILED' });
    });

    test('a volume cut short gives coded errors and never a map beyond its end', async () => {
      for (const share of [0, 0.0001, 0.01, 0.3, 0.7, 0.99]) {
        const cut = sliceDevice(fixture.device, 0, Math.floor((fixture.device.sizeBytes * share) / 512) * 512);
        await codedOnly(async () => {
          const opened = await fixture.open(cut);
          expect(opened.info.totalBytes).toBeLessThanOrEqual(cut.sizeBytes);
          const last = (await opened.usedMap()).extents.at(-1);
          if (last) expect(last.offsetBytes + last.lengthBytes).toBeLessThanOrEqual(cut.sizeBytes);
          await exercise(opened, 200);
        });
      }
    });

    test('the map takes few reads', async () => {
      const device = guardedDevice(fixture.device, { reads: 5000, bytes: 64 << 20, readBytes: 16 << 20 });
      await (await fixture.open(device)).usedMap();
      expect(device.seen.bytes).toBeLessThan(Math.max(8 << 20, fixture.device.sizeBytes / 8));
    });
  });
}
