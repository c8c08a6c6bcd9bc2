import { open, readFile, writeFile } from 'node:fs/promises';
import {
  type BlockDevice,
  type Extent,
  intersectExtents,
  memoryDevice,
  mergeExtents,
  readBytes,
  subtractExtents,
} from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeNeeding, makeScratch, type Scratch, seededRandom } from '../testing/index.ts';
import { type LogicalVolume, openPhysicalVolumes, type PhysicalVolume } from './index.ts';
import { LVM_NEEDS, type LvmTools, lvmTools } from './testing/lvmTools.ts';

const MIB = 1 << 20;
const EXTENT = MIB;

/** Two physical volumes of 40 MiB in extents of 1 MiB, and the tools at work on them. */
async function makePair(
  scratch: Scratch,
  options: string[] = [],
): Promise<{ images: string[]; loops: string[]; tools: LvmTools }> {
  const images = [await scratch.sparseFile('one.img', 40 * MIB), await scratch.sparseFile('two.img', 40 * MIB)];
  const loops = [await scratch.attach(images[0] ?? ''), await scratch.attach(images[1] ?? '')];
  const tools = await lvmTools(scratch, loops);
  await tools.run('pvcreate', '-y', ...options, ...loops);
  await tools.run('vgcreate', '-y', '-s', '1m', 'office', ...loops);
  return { images, loops, tools };
}

async function openAll(images: readonly string[]): Promise<{ pvs: PhysicalVolume[]; volumes: Map<string, LogicalVolume> }> {
  const devices: BlockDevice[] = [];
  for (const image of images) devices.push(memoryDevice(await readFile(image)));
  const pvs = (await openPhysicalVolumes(devices)).filter((pv) => pv !== null);
  return { pvs, volumes: new Map(pvs.flatMap((pv) => pv.volumes).map((volume) => [volume.name, volume])) };
}

/** What LVM says is in use on a device, as bytes of it. */
async function allocated(tools: LvmTools, loop: string): Promise<Extent[]> {
  const rows = await tools.report('pvs', 'pv_name,pe_start,pvseg_start,pvseg_size,seg_type', '--segments', loop);
  return mergeExtents(
    rows
      .filter(([, , , , type]) => type !== 'free')
      .map(([, start, first, count]) => ({
        offsetBytes: Number(start) + Number(first) * EXTENT,
        lengthBytes: Number(count) * EXTENT,
      })),
  );
}

const dataOnly = (extents: readonly Extent[]) => intersectExtents(extents, [{ offsetBytes: MIB, lengthBytes: 39 * MIB }]);

describeNeeding(LVM_NEEDS, 'volume groups made by LVM', () => {
  let scratch: Scratch;
  let made: Awaited<ReturnType<typeof makePair>>;
  beforeAll(async () => {
    scratch = await makeScratch();
    made = await makePair(scratch);
    const { create, run } = made.tools;
    const [one = '', two = ''] = made.loops;
    await create('-L', '6m', '-n', 'root', 'office', one);
    await create('-L', '3m', '-n', 'var', 'office', one);
    // Two pieces with another volume between them, the second on the other physical volume.
    await run('lvextend', '-An', '-L', '8m', 'office/root', one);
    await run('lvextend', '-An', '-L', '10m', 'office/root', two);
    await create('-i', '2', '-I', '64k', '-L', '12m', '-n', 'fast', 'office');
    await create('-L', '1m', '-n', 'gone', 'office', one);
    await create('-L', '2m', '-n', 'last', 'office', one);
    await run('lvremove', '-y', '-An', 'office/gone');
  });
  afterAll(() => scratch?.dispose());

  test('are found with their volumes as LVM lists them', async () => {
    const { pvs, volumes } = await openAll(made.images);
    const uuids: string[] = [];
    for (const loop of made.loops) uuids.push(...(await made.tools.report('pvs', 'pv_uuid', loop)).flat());
    expect(pvs.map(({ uuid }) => uuid)).toEqual(uuids);
    expect(pvs.map(({ groupName, doubts }) => ({ groupName, doubts }))).toEqual(
      Array.from({ length: 2 }, () => ({ groupName: 'office', doubts: [] })),
    );
    const rows = await made.tools.report('lvs', 'lv_full_name,lv_size', '-O', 'lv_name');
    expect([...volumes.values()].map(({ name, sizeBytes }) => [name, String(sizeBytes)]).sort()).toEqual(rows.sort());
    expect(volumes.get('office/root')).toMatchObject({ type: 'linear', exclusive: true });
    expect(volumes.get('office/fast')).toMatchObject({ type: 'striped', exclusive: true });
  });

  test('have in use what LVM says, and around the extents everything', async () => {
    const { pvs } = await openAll(made.images);
    for (const [index, pv] of pvs.entries()) {
      const used = pv.usedExtents(new Map());
      expect(dataOnly(used)).toEqual(await allocated(made.tools, made.loops[index] ?? ''));
      expect(subtractExtents([{ offsetBytes: 0, lengthBytes: MIB }], used)).toEqual([]);
    }
  });

  test('give the bytes of a volume from where LVM says its pieces lie', async () => {
    const random = seededRandom(11);
    const files = [await open(made.images[0] ?? '', 'r+'), await open(made.images[1] ?? '', 'r+')];
    const rows = await made.tools.report(
      'lvs',
      'lv_full_name,stripes,stripe_size,seg_size,seg_pe_ranges',
      '--segments',
      '-O',
      'lv_name,seg_start',
    );
    const contents = new Map<string, Buffer>();
    // Each run of a stripe's turn is put where it belongs with nothing but what LVM printed.
    for (const [name = '', stripes, stripeBytes, segmentBytes, ranges = ''] of rows) {
      const content = Buffer.from(Array.from({ length: Number(segmentBytes) / 4096 }, () => random(256)))
        .toString('hex')
        .repeat(2048);
      const bytes = Buffer.from(content.slice(0, Number(segmentBytes)));
      contents.set(name, Buffer.concat([contents.get(name) ?? Buffer.alloc(0), bytes]));
      const places = ranges.split(' ').map((range) => /^(\S+):(\d+)-\d+$/.exec(range) ?? []);
      const turn = Number(stripes) > 1 ? Number(stripeBytes) : Number(segmentBytes);
      for (let at = 0; at < bytes.length; at += turn) {
        const nth = at / turn;
        const [, loop, first] = places[nth % places.length] ?? [];
        const file = files[made.loops.indexOf(loop ?? '')];
        await file?.write(bytes, at, turn, MIB + Number(first) * EXTENT + Math.floor(nth / places.length) * turn);
      }
    }
    for (const file of files) await file.close();
    const { volumes } = await openAll(made.images);
    expect([...contents.keys()].sort()).toEqual([...volumes.keys()].sort());
    for (const [name, content] of contents) {
      const device = volumes.get(name)?.device;
      expect(device?.sizeBytes).toBe(content.length);
      if (!device) continue;
      expect((await readBytes(device, 0, content.length)).equals(content)).toBe(true);
      for (let times = 0; times < 20; times += 1) {
        const from = random(content.length);
        const length = random(Math.min(content.length - from, 300_000));
        expect((await readBytes(device, from, length)).equals(content.subarray(from, from + length))).toBe(true);
      }
    }
  });

  test('keep of a volume only what is used inside, wherever its pieces lie', async () => {
    const random = seededRandom(12);
    const { pvs, volumes } = await openAll(made.images);
    const whole = pvs.map((pv) => pv.usedExtents(new Map()));
    for (const name of ['office/fast', 'office/root']) {
      const volume = volumes.get(name);
      if (!volume) throw new Error(name);
      const inside = mergeExtents(
        Array.from({ length: 30 }, () => {
          const offsetBytes = random(volume.sizeBytes / 512) * 512;
          return { offsetBytes, lengthBytes: Math.min(random(400) * 512, volume.sizeBytes - offsetBytes) };
        }),
      );
      // The slow way: each range piece by piece.
      const places = inside.flatMap((range) => [...volume.locate(range)]);
      const all = [...volume.locate({ offsetBytes: 0, lengthBytes: volume.sizeBytes })];
      for (const [index, pv] of pvs.entries()) {
        const mine = (pieces: typeof all) => pieces.filter(({ on }) => on === pv).map(({ at }) => at);
        const expected = mergeExtents([...subtractExtents(whole[index] ?? [], mine(all)), ...mine(places)]);
        expect(pv.usedExtents(new Map([[volume, inside]]))).toEqual(expected);
      }
    }
  });

  test('whose other disk is away: its volumes cannot be read, their extents here count', async () => {
    const { pvs, volumes } = await openAll(made.images.slice(0, 1));
    expect(pvs[0]?.doubts).toEqual([]);
    expect(volumes.get('office/var')?.device).not.toBeNull();
    expect(volumes.get('office/root')).toMatchObject({ device: null, exclusive: false });
    expect(dataOnly(pvs[0]?.usedExtents(new Map()) ?? [])).toEqual(await allocated(made.tools, made.loops[0] ?? ''));
  });
});

describeNeeding(LVM_NEEDS, 'the metadata of LVM', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
  });
  afterAll(() => scratch?.dispose());

  test('is read where its text runs over the end of the ring, and from the newer of two copies', async () => {
    const { images, tools } = await makePair(scratch, [
      '--metadatasize',
      '36k',
      '--dataalignment',
      '4k',
      '--metadatacopies',
      '2',
    ]);
    const ends: boolean[] = [];
    for (let times = 0; times < 16; times += 1) {
      await tools.create('-L', '1m', '-n', `v${times}`, 'office');
      const bytes = await readFile(images[0] ?? '');
      // The header of the first area: where it lies, how large it is; where its text begins and how long it is.
      const [size, at, length] = [4096 + 32, 4096 + 40, 4096 + 48].map((place) => Number(bytes.readBigUInt64LE(place)));
      ends.push((at ?? 0) + (length ?? 0) > (size ?? 0));
      const { volumes, pvs } = await openAll(images);
      expect(pvs.map(({ doubts }) => doubts)).toEqual([[], []]);
      expect([...volumes.keys()].sort()).toEqual(Array.from({ length: times + 1 }, (_, index) => `office/v${index}`).sort());
    }
    expect(ends).toContain(true);
    expect(ends).toContain(false);
  });

  test('of a group that keeps it on one of its members only', async () => {
    const folder = await makeScratch();
    try {
      const { images, loops, tools } = await makePair(folder);
      await tools.run('pvchange', '--metadataignore', 'y', loops[1] ?? '');
      await tools.create('-L', '30m', '-n', 'big', 'office', loops[1] ?? '');
      const { pvs, volumes } = await openAll(images);
      expect(pvs.map(({ doubts }) => doubts)).toEqual([[], []]);
      expect(volumes.get('office/big')?.device?.sizeBytes).toBe(30 * MIB);
      const alone = await openAll(images.slice(1));
      expect(alone.pvs[0]?.doubts).toEqual([expect.stringContaining('not said on this disk')]);
      expect(alone.pvs[0]?.usedExtents(new Map())).toEqual([{ offsetBytes: 0, lengthBytes: 40 * MIB }]);
    } finally {
      await folder.dispose();
    }
  });

  test('of physical volumes no group has: all of them is kept', async () => {
    const folder = await makeScratch();
    try {
      const { images, tools } = await makePair(folder);
      await tools.run('vgremove', '-y', 'office');
      const { pvs } = await openAll(images);
      expect(pvs.map(({ groupName, doubts }) => ({ groupName, doubts }))).toEqual([
        { groupName: null, doubts: [] },
        { groupName: null, doubts: [] },
      ]);
      expect(pvs[0]?.usedExtents(new Map())).toEqual([{ offsetBytes: 0, lengthBytes: 40 * MIB }]);
      await writeFile(images[0] ?? '', Buffer.alloc(100));
      expect((await openAll(images)).pvs).toHaveLength(1);
    } finally {
      await folder.dispose();
    }
  });
});
