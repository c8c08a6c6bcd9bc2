import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Extent, memoryDevice, openFileDevice, subtractExtents } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noise } from '../ext/testing/extContent.ts';
import {
  describeNeeding,
  expectSameTree,
  makeScratch,
  mutationContract,
  partcloneUsedExtents,
  runTool,
  type Scratch,
  type Tree,
  treeOfFilesystem,
  treeOfFolder,
} from '../testing/index.ts';
import { xfsReader } from './index.ts';
import { readLogState } from './log.ts';
import { readSuperblock } from './superblock.ts';
import { metadataOf } from './testing/metadata.ts';
import { toVolumeBlock } from './volume.ts';

const sizeBytes = 96 << 20;
const replayed = 'The log holds changes not yet written to their places';
const unfollowed = 'The log holds changes that cannot be followed: the whole filesystem was taken.';

async function mapOf(image: string) {
  const device = await openFileDevice(image);
  try {
    const filesystem = await xfsReader.open(device);
    return { clean: filesystem.info.clean, map: await filesystem.usedMap() };
  } finally {
    await device.close();
  }
}

/** What of `inner` is not in `outer`. */
function missing(outer: readonly Extent[], inner: readonly Extent[]): readonly Extent[] {
  return subtractExtents(inner, outer);
}

async function logPlace(bytes: Buffer): Promise<{ start: number; end: number }> {
  const superblock = await readSuperblock(memoryDevice(bytes));
  const { logStart, logBlocks, blockBytes } = superblock;
  const start = toVolumeBlock(superblock, logStart, { count: logBlocks, what: 'the log' }) * blockBytes;
  return { start, end: start + logBlocks * blockBytes };
}

/** Files and folders made, changed and dropped, some of it made to last, so that log and places differ everywhere. */
async function crowd(folder: string): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    const path = join(folder, `part${turn % 7}`, `file${(turn * 31) % 53}`);
    await mkdir(join(folder, `part${turn % 7}`), { recursive: true });
    if (turn % 5 === 3) await rm(path, { force: true });
    else await writeFile(path, noise((turn * 7919) % 150_000, turn));
    if (turn % 40 === 39) await runTool('sync', [path]).catch(() => {});
    if (turn === 250) await runTool('sync', ['-f', folder]);
  }
}

const tools = ['mkfs.xfs', 'xfs_io', 'xfs_repair', 'xfs_growfs', 'fsfreeze', 'findmnt', 'partclone.xfs', 'losetup', 'mount'];

describeNeeding({ tools, root: true }, 'XFS, a log to replay', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
  });
  afterAll(() => scratch?.dispose());

  /** An image of a volume caught while mounted, after `live` was done with it. */
  async function caught(name: string, options: readonly string[], live: (folder: string, image: string) => Promise<unknown>) {
    const image = await scratch.sparseFile(`${name}.img`, sizeBytes);
    await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', ...options, image]);
    const device = await scratch.attach(image);
    const mounted = await scratch.mount(device, 'xfs');
    for (let index = 0; index < 40; index++) await writeFile(join(mounted, `file${index}`), noise(200_000, index));
    await runTool('sync', ['-f', mounted]);
    const copy = scratch.path(`${name}-caught.img`);
    await live(mounted, image);
    await runTool('cp', ['--sparse=always', image, copy]);
    await runTool('fsfreeze', ['-u', mounted]).catch(() => {});
    await scratch.unmount(mounted);
    await scratch.detach(device);
    return copy;
  }

  /** Changes which are, at the end, in the log alone. */
  async function change(folder: string): Promise<void> {
    for (let index = 0; index < 40; index += 3) await rm(join(folder, `file${index}`));
    await writeFile(join(folder, 'late'), noise(3_000_000, 99));
    await runTool('sync', [join(folder, 'late')]);
  }

  /** Mounting replays; unmounting leaves a clean volume. */
  async function replay(image: string, look: (folder: string) => Promise<void>): Promise<void> {
    const device = await scratch.attach(image);
    const mounted = await scratch.mount(device, 'xfs', 'nouuid');
    await look(mounted);
    await scratch.unmount(mounted);
    await scratch.detach(device);
    await runTool('xfs_repair', ['-n', image]);
  }

  const layouts: readonly [string, readonly string[]][] = [
    ['defaults', []],
    ['1 KiB blocks, reverse maps', ['-b', 'size=1024', '-m', 'rmapbt=1']],
    ['4 KiB sectors', ['-s', 'size=4096']],
    ['large log records', ['-l', 'sunit=512']],
    ['many groups', ['-d', 'agsize=16777216']],
  ];
  test.each(layouts)('%s: the map holds all that is in use after the replay', { timeout: 30_000 }, async (title, options) => {
    const image = await caught(title.replaceAll(/\W+/g, '-'), options, change);
    const { clean, map } = await mapOf(image);
    expect(clean).toBe(false);
    expect(map.warnings.join()).toMatch(new RegExp(`^${replayed}: `));
    expect(map.usedBytes).toBeLessThan(sizeBytes);
    // What a restore of only these blocks gives, replays and checks as well as the original.
    const bytes = await readFile(image);
    const kept = Buffer.alloc(bytes.length, 0xa5);
    for (const { offsetBytes, lengthBytes } of map.extents) bytes.copy(kept, offsetBytes, offsetBytes, offsetBytes + lengthBytes);
    const restored = `${image}.restored`;
    await writeFile(restored, kept);
    await replay(restored, async (folder) => {
      expect((await readFile(join(folder, 'late'))).equals(noise(3_000_000, 99))).toBe(true);
      expect((await readFile(join(folder, 'file1'))).equals(noise(200_000, 1))).toBe(true);
    });
    const { clean: cleanAfter, map: mapAfter } = await mapOf(restored);
    expect(cleanAfter).toBe(true);
    expect(mapAfter.warnings).toEqual([]);
    const afterReplay = await partcloneUsedExtents('partclone.xfs', restored, scratch);
    expect(mapAfter.extents).toEqual(afterReplay);
    expect(missing(map.extents, afterReplay)).toEqual([]);
  });

  test('the trees on the disk alone would have missed some of it', async () => {
    const image = await caught('unaware', [], change);
    const bytes = await readFile(image);
    // partclone looks at the trees alone, too.
    const unaware = await partcloneUsedExtents('partclone.xfs', image, scratch);
    await replay(image, async () => {});
    expect(missing(unaware, await partcloneUsedExtents('partclone.xfs', image, scratch))).not.toEqual([]);
    expect((await xfsReader.open(memoryDevice(bytes))).info.clean).toBe(false);
  });

  test('a frozen volume is not clean, yet its map is exact and its tree complete', async () => {
    let tree: Awaited<ReturnType<typeof treeOfFolder>> = new Map();
    const image = await caught('frozen', [], async (folder) => {
      await change(folder);
      await runTool('fsfreeze', ['-f', folder]);
      tree = await treeOfFolder(folder);
    });
    const { clean, map } = await mapOf(image);
    expect(clean).toBe(false);
    expect(map.warnings).toEqual([]);
    expect(map.extents).toEqual(await partcloneUsedExtents('partclone.xfs', image, scratch));
    const device = await openFileDevice(image);
    expectSameTree(await treeOfFilesystem(await xfsReader.open(device)), tree);
    await device.close();
  });

  test.each(['writes its log', 'loses what it had not written'])(
    'stopped dead amid changes, it %s: what is restored recovers to the same tree',
    { timeout: 60_000 },
    async (title) => {
      const name = `dead-${title.length}`;
      const image = await scratch.sparseFile(`${name}.img`, sizeBytes);
      await runTool('mkfs.xfs', ['-q', '-f', '--unsupported', '-b', 'size=1024', '-d', 'agsize=16777216', image]);
      const device = await scratch.attach(image);
      const mounted = await scratch.mount(device, 'xfs');
      await crowd(mounted);
      await runTool('xfs_io', ['-x', '-c', title === 'writes its log' ? 'shutdown -f' : 'shutdown', mounted]);
      await scratch.unmount(mounted);
      await scratch.detach(device);
      const { clean, map } = await mapOf(image);
      expect(clean).toBe(false);
      const bytes = await readFile(image);
      const kept = Buffer.alloc(bytes.length, 0x5a);
      for (const { offsetBytes, lengthBytes } of map.extents)
        bytes.copy(kept, offsetBytes, offsetBytes, offsetBytes + lengthBytes);
      await writeFile(`${image}.restored`, kept);
      const trees: Tree[] = [];
      for (const file of [image, `${image}.restored`]) {
        await replay(file, async (folder) => {
          trees.push(await treeOfFolder(folder));
        });
      }
      const [original = new Map(), restored = new Map()] = trees;
      expect(original.size).toBeGreaterThan(10);
      expectSameTree(restored, original);
      expect(missing(map.extents, (await mapOf(image)).map.extents)).toEqual([]);
    },
  );

  test('growth that is in the log alone: everything is taken', async () => {
    const image = await caught('grown', [], async (folder, file) => {
      await truncate(file, sizeBytes * 2);
      const device = (await runTool('findmnt', ['-n', '-o', 'SOURCE', folder])).trim();
      await runTool('losetup', ['-c', device]);
      await runTool('xfs_growfs', [folder]);
      await writeFile(join(folder, 'late'), noise(3_000_000, 99));
      await runTool('sync', [join(folder, 'late')]);
    });
    const { map } = await mapOf(image);
    expect(map.warnings).toEqual([unfollowed]);
  });

  test('a log that went round several times', { timeout: 60_000 }, async () => {
    // Every fsync fills a stripe of 32 KiB.
    const image = await caught('round', ['-l', 'size=2560b,sunit=64'], async (folder) => {
      await writeFile(join(folder, 'busy'), '');
      const lines = Array.from({ length: 1500 }, (_, index) => `pwrite -q ${index * 300} 7\nfsync\n`);
      await runTool('xfs_io', [join(folder, 'busy')], { input: lines.join('') });
      await change(folder);
    });
    const { clean, map } = await mapOf(image);
    const device = memoryDevice(await readFile(image));
    const state = await readLogState({ device, superblock: await readSuperblock(device) });
    expect(state.kind === 'dirty' && state.last.cycle).toBeGreaterThan(2);
    expect(clean).toBe(false);
    expect(map.warnings.join()).toMatch(new RegExp(`^${replayed}: `));
    await replay(image, async () => {});
    expect(await mapOf(image)).toMatchObject({ clean: true, map: { warnings: [] } });
    expect(missing(map.extents, (await mapOf(image)).map.extents)).toEqual([]);
  });

  test('a log that cannot be followed, or lies elsewhere: everything is taken', async () => {
    const bytes = await readFile(await caught('torn', [], change));
    const { start, end } = await logPlace(bytes);
    const torn = Buffer.from(bytes);
    for (let at = start; at < end; at += 512) {
      if (torn.readUInt32BE(at) === 0xfeedbabe) torn.writeUInt32BE(0x12345678, at + 20);
    }
    expect((await (await xfsReader.open(memoryDevice(torn))).usedMap()).warnings).toEqual([unfollowed]);
    const gone = Buffer.from(bytes);
    gone.fill(0x33, start, end);
    expect((await (await xfsReader.open(memoryDevice(gone))).usedMap()).warnings).toEqual([unfollowed]);
  });

  test('an external log: everything is taken', async () => {
    const [image, log] = [await scratch.sparseFile('ext.img', 320 << 20), await scratch.sparseFile('ext.log', 70 << 20)];
    await runTool('mkfs.xfs', ['-q', '-f', '-l', `logdev=${log},size=64m`, image]);
    const { clean, map } = await mapOf(image);
    expect(clean).toBe(false);
    expect(map.warnings).toEqual(['The log lies on another device: the whole filesystem was taken.']);
  });

  mutationContract('XFS with a log to replay', {
    reader: xfsReader,
    runs: Number(process.env.DISKFLEET_FUZZ_RUNS ?? 200),
    async makeImage() {
      const bytes = await readFile(await caught('fuzzed', [], change));
      const { start, end } = await logPlace(bytes);
      const places = await metadataOf(bytes);
      return { bytes, metadata: places.filter(({ offsetBytes }) => offsetBytes >= start && offsetBytes < end) };
    },
  });
});
