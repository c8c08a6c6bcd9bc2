import { writeFile } from 'node:fs/promises';
import { type BlockDevice, DiskError, memoryDevice, sliceDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { FilesystemError } from '../errors.ts';
import { describeNeeding, failingDevice, makeScratch, type Scratch, seededRandom } from '../testing/index.ts';
import { parseConfig } from './configText.ts';
import { openPhysicalVolumes } from './index.ts';
import {
  everyKind,
  groupText,
  HIDDEN,
  linear,
  MEMBER_IDS,
  physicalVolume,
  type TextVolume,
  volume,
  writeText,
} from './testing/groupText.ts';
import { LVM_NEEDS, lvmTools } from './testing/lvmTools.ts';
import { parseVolumeGroup } from './volumeGroup.ts';

const MIB = 1 << 20;
const [FIRST = '', SECOND = ''] = MEMBER_IDS;
const small = [linear('a', 'pv0', 0, 2), linear('b', 'pv0', 3, 1)];

async function openAll(...volumes: (Buffer | BlockDevice)[]) {
  const devices = volumes.map((one) => (Buffer.isBuffer(one) ? memoryDevice(one) : one));
  return (await openPhysicalVolumes(devices)).map((pv) => {
    const names = pv?.volumes.map(({ name, device }) => (device ? name : `${name}?`)).sort() ?? [];
    const usedBytes = pv?.usedExtents(new Map()).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) ?? null;
    return { names, usedMib: usedBytes && usedBytes / MIB, doubts: pv?.doubts ?? [] };
  });
}

const sound = () => physicalVolume(FIRST, 7, groupText([7], small));
const doubted = (sentence: string | RegExp, names: string[] = ['office/a', 'office/b']) => ({
  names,
  usedMib: 8,
  doubts: [expect.stringMatching(sentence)],
});

describe('any doubt has the whole physical volume taken', () => {
  it('a sound one is none', async () => {
    expect(await openAll(sound())).toEqual([{ names: ['office/a', 'office/b'], usedMib: 4, doubts: [] }]);
  });

  it('a bit of the label is off: no physical volume at all', async () => {
    const bytes = sound();
    bytes.writeUInt8(bytes.readUInt8(512 + 40) ^ 1, 512 + 40);
    expect(await openPhysicalVolumes([memoryDevice(bytes)])).toEqual([null]);
    expect(await openPhysicalVolumes([memoryDevice(bytes.subarray(0, 700))])).toEqual([null]);
  });

  it.each([
    ['of the header of its metadata', 4096 + 100, /header that does not check/],
    ['of the magic of its metadata', 4096 + 6, /no header we know/],
    ['of its text', 4096 + 512 + 50, /text that does not check/],
  ])('a bit %s is off', async (_title, at, sentence) => {
    const bytes = sound();
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    const [found] = await openAll(bytes);
    expect(found).toMatchObject({ names: [], usedMib: 8 });
    expect(found?.doubts).toEqual([expect.stringMatching(sentence), expect.stringContaining('not said on this disk')]);
  });

  it('a change was prepared, or the text is not in use', async () => {
    const bytes = sound();
    writeText(bytes, groupText([7], small), { prepared: true });
    expect(await openAll(bytes)).toEqual([doubted('a change of its volume group')]);
    writeText(bytes, groupText([7], small), { notInUse: true });
    expect(await openAll(bytes)).toEqual([doubted('not said on this disk', [])]);
  });

  it('two members whose texts differ: the newer is shown', async () => {
    const two = [linear('a', 'pv0', 0, 2), linear('b', 'pv1', 3, 1)];
    const [old, young] = [groupText([7, 7], two, 8), groupText([7, 7], [linear('a', 'pv0', 0, 3)], 9)];
    const found = await openAll(physicalVolume(FIRST, 7, old), physicalVolume(SECOND, 7, young));
    expect(found).toEqual([doubted('copies .* differ', ['office/a']), doubted('copies .* differ', [])]);
    const same = await openAll(physicalVolume(FIRST, 7, old), physicalVolume(SECOND, 7, old));
    expect(same.map(({ doubts, usedMib }) => [doubts, usedMib])).toEqual([
      [[], 3],
      [[], 2],
    ]);
  });

  it('the same physical volume twice: neither is read', async () => {
    expect(await openAll(sound(), sound())).toEqual([
      { names: [], usedMib: 8, doubts: [expect.stringContaining('twice'), expect.any(String)] },
      { names: [], usedMib: 8, doubts: [expect.stringContaining('twice'), expect.any(String)] },
    ]);
  });

  it('it is cut off: what reaches past the end cannot be read', async () => {
    const [found] = await openAll(sliceDevice(memoryDevice(sound()), 0, 6 * MIB));
    expect(found).toMatchObject({ names: ['office/a?', 'office/b?'], usedMib: 6 });
    expect(found?.doubts).toHaveLength(2);
  });

  it.each([
    [
      'the group did without it',
      (text: string) => text.replace('flags = []\ndev_size', 'flags = ["MISSING"]\ndev_size'),
      /did without it/,
    ],
    ['data begins elsewhere', (text: string) => text.replace('pe_start = 2048', 'pe_start = 2047'), /disagree where data begins/],
    [
      'an unknown kind stands on it',
      (text: string) => text.replace('type = "striped"\nstripe_count = 1\nstripes', 'type = "new"\nareas'),
      /do not understand/,
    ],
  ])('%s', async (_title, change, sentence) => {
    const text = groupText([7], small);
    expect(change(text)).not.toBe(text);
    const [found] = await openAll(physicalVolume(FIRST, 7, change(text)));
    expect(found?.usedMib).toBe(8);
    expect(found?.doubts[0]).toMatch(sentence);
  });

  it.each<[string, readonly TextVolume[], RegExp]>([
    ['two volumes have the same extents', [linear('a', 'pv0', 0, 2), linear('b', 'pv0', 1, 1)], /same extents/],
    ['a volume reaches past the end', [linear('a', 'pv0', 6, 2)], /past the end/],
    ['a volume is called like a way up', [linear('..', 'pv0', 0, 2)], /name that is none/],
    ['a piece is empty', [volume('a', 0, ['type = "striped"', 'stripes = ["pv0", 0]'])], /empty piece/],
    ['a piece lies nowhere', [volume('a', 1, ['type = "striped"', 'stripes = []'])], /no parts/],
    ['a piece begins at no number', [volume('a', 1, ['type = "striped"', 'stripes = ["pv0", "pv0"]'])], /lies nowhere/],
    [
      'stripes of different lengths',
      [volume('a', 3, ['type = "striped"', 'stripe_size = 8', 'stripes = ["pv0", 0, "pv0", 4]'])],
      /different/,
    ],
    [
      'stripes of no size',
      [volume('a', 2, ['type = "striped"', 'stripe_size = 0', 'stripes = ["pv0", 0, "pv0", 4]'])],
      /do not fit/,
    ],
    ['stripes without a size', [volume('a', 2, ['type = "striped"', 'stripes = ["pv0", 0, "pv0", 4]'])], /stripe_size/],
    ['names are there twice', [linear('a', 'pv0', 0, 1), linear('a', 'pv0', 1, 1)], /twice/],
  ])('%s', async (_title, volumes, sentence) => {
    const [found] = await openAll(physicalVolume(FIRST, 7, groupText([7], volumes)));
    expect(found).toMatchObject({ names: [], usedMib: 8 });
    expect(found?.doubts[0]).toMatch(sentence);
  });

  it('volumes under way from one member to another, converted, merged or with a cache are not read', async () => {
    const volumes = [
      volume('moving', 2, ['type = "striped"', 'stripe_count = 1', 'stripes = ["pvmove0", 0]']),
      volume(
        'pvmove0',
        2,
        ['type = "mirror"', 'mirror_count = 2', 'mirrors = ["pv0", 0, "pv0", 2]'],
        ['READ', 'WRITE', 'PVMOVE'],
      ),
      linear('converting', 'pv0', 4, 1, ['READ', 'WRITE', 'VISIBLE', 'CONVERTING']),
      linear('base', 'pv0', 5, 1),
      linear('back', 'pv0', 6, 1),
      volume('snapshot0', 1, ['type = "snapshot"', 'origin = "base"', 'merging_store = "back"'], HIDDEN),
    ];
    const [found] = await openAll(physicalVolume(FIRST, 7, groupText([7], volumes)));
    expect(found).toEqual({
      names: ['office/back?', 'office/base?', 'office/converting?', 'office/moving?'],
      usedMib: 8,
      doubts: [],
    });
  });
});

describe('hostile text', () => {
  it('is refused with a code: too deep, too much, without an end, senseless', () => {
    for (const text of [
      'a {'.repeat(100),
      'a = [',
      'a = "',
      'a = "\\',
      'a',
      'a =',
      '=',
      '}',
      'a = 1 b',
      'a = [1 2]',
      'a { b = 1',
      '\u0000',
      'a = [[1]]',
    ]) {
      expect(() => parseConfig(text)).toThrow(FilesystemError);
    }
    expect(() => parseConfig(`a = [${'1,'.repeat(500_000)}1]`)).toThrow(/more than/);
    expect(parseConfig(`${' '.repeat(4 << 20)}# ${'x'.repeat(4 << 20)}\n a = ["\\"", -1.5, ]`).list('a')).toEqual(['"', -1.5]);
    expect(() => parseVolumeGroup('')).toThrow(FilesystemError);
  });

  test('changed anywhere, it ends in a map that keeps all of the volume, or in one that keeps what it says', async () => {
    const seed = Number(process.env.DISKFLEET_FUZZ_SEED ?? 20_260_102);
    const random = seededRandom(seed);
    const text = groupText([39, 39], everyKind);
    const words = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      '0',
      '-1',
      '99999999999999999999',
      'pv0',
      'pv1',
      'plain',
      '=',
      '#',
      '\n',
      '\\',
      '..',
      'type = "raid1"',
    ];
    const [first, second] = [physicalVolume(FIRST, 39, text), physicalVolume(SECOND, 39, text)];
    let whole = 0;
    for (let run = 0; run < 1500; run += 1) {
      let changed = text;
      for (let times = random(4) + 1; times > 0; times -= 1) {
        const at = random(changed.length);
        const word = words[random(words.length)] ?? '';
        changed = changed.slice(0, at) + word + changed.slice(at + random(word.length * 2));
      }
      writeText(first, changed);
      writeText(second, changed);
      const devices = [memoryDevice(first), memoryDevice(second)];
      const pvs = await openPhysicalVolumes(devices);
      for (const pv of pvs) {
        const used = pv?.usedExtents(new Map()) ?? [];
        const end = used.reduce((last, { offsetBytes, lengthBytes }) => {
          expect(lengthBytes, `seed ${seed}, run ${run}`).toBeGreaterThan(0);
          expect(offsetBytes, `seed ${seed}, run ${run}`).toBeGreaterThanOrEqual(last);
          return offsetBytes + lengthBytes;
        }, 0);
        expect(end, `seed ${seed}, run ${run}`).toBeLessThanOrEqual(40 * MIB);
        if (pv && pv.doubts.length > 0) {
          whole += 1;
          expect(used).toEqual([{ offsetBytes: 0, lengthBytes: 40 * MIB }]);
        }
        for (const { device, name } of pv?.volumes ?? []) {
          expect(name).toMatch(/^[\w.+-]+\/[\w.+-]+$/);
          if (device && device.sizeBytes > 0) await device.read(device.sizeBytes - 512, Buffer.alloc(512));
        }
      }
    }
    expect(whole).toBeGreaterThan(100);
  });

  it('metadata the medium does not give is a doubt like any other', async () => {
    const device = memoryDevice(sound());
    const read = async (offsetBytes: number, target: Uint8Array) => {
      if (offsetBytes >= 4096) throw new DiskError('DISK_READ_FAILED', 'a bad sector', { retry: 'never' });
      await device.read(offsetBytes, target);
    };
    const [found] = await openAll({ ...device, read });
    expect(found).toMatchObject({ names: [], usedMib: 8, doubts: ['a bad sector', expect.any(String)] });
    expect(await openPhysicalVolumes([failingDevice(memoryDevice(sound()), 0)])).toEqual([null]);
  });
});

describeNeeding(LVM_NEEDS, 'physical volumes by hand', () => {
  let scratch: Scratch;
  beforeAll(async () => {
    scratch = await makeScratch();
  });
  afterAll(() => scratch?.dispose());

  test('are taken by LVM for its own', async () => {
    const image = await scratch.sparseFile('hand.img', 8 * MIB);
    await writeFile(image, sound());
    const loop = await scratch.attach(image);
    const tools = await lvmTools(scratch, [loop]);
    expect(await tools.report('lvs', 'lv_full_name,lv_size', '-O', 'lv_name')).toEqual([
      ['office/a', String(2 * MIB)],
      ['office/b', String(MIB)],
    ]);
  });
});
