import { readFile, writeFile } from 'node:fs/promises';
import { memoryDevice } from '@diskfleet/disk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeNeeding, makeScratch, type Scratch } from '../testing/index.ts';
import { type LogicalVolume, openPhysicalVolumes, type PhysicalVolume } from './index.ts';
import { everyKind, volumesText } from './testing/groupText.ts';
import { LVM_NEEDS, type LvmTools, lvmTools } from './testing/lvmTools.ts';

const MIB = 1 << 20;

describeNeeding(LVM_NEEDS, 'volumes of kinds we do not read, as LVM takes them', () => {
  let scratch: Scratch;
  let tools: LvmTools;
  let images: string[];
  let loops: string[];
  let pvs: PhysicalVolume[];
  let volumes: Map<string, LogicalVolume>;
  beforeAll(async () => {
    scratch = await makeScratch();
    images = [await scratch.sparseFile('one.img', 40 * MIB), await scratch.sparseFile('two.img', 40 * MIB)];
    loops = [await scratch.attach(images[0] ?? ''), await scratch.attach(images[1] ?? '')];
    tools = await lvmTools(scratch, loops);
    await tools.run('pvcreate', '-y', ...loops);
    await tools.run('vgcreate', '-y', '-s', '1m', 'office', ...loops);
    const file = scratch.path('office.txt');
    await tools.run('vgcfgbackup', '-f', file, 'office');
    const text = await readFile(file, 'utf8');
    const end = text.lastIndexOf('}');
    await writeFile(file, `${text.slice(0, end)}${volumesText(everyKind)}\n}\n`);
    // LVM itself checks what it is given before it writes it.
    await tools.run('vgcfgrestore', '-y', '--force', '-f', file, 'office');
    pvs = [];
    const devices = [];
    for (const image of images) devices.push(memoryDevice(await readFile(image)));
    for (const pv of await openPhysicalVolumes(devices)) if (pv) pvs.push(pv);
    volumes = new Map(pvs.flatMap((pv) => pv.volumes).map((volume) => [volume.name.slice('office/'.length), volume]));
  });
  afterAll(() => scratch?.dispose());

  test('are listed as LVM lists them: the hidden ones not', async () => {
    const rows = await tools.report('lvs', 'lv_name,lv_size', '-O', 'lv_name');
    expect([...volumes].map(([name, { sizeBytes }]) => [name, String(sizeBytes)]).sort()).toEqual(rows.sort());
    expect(pvs.map(({ doubts }) => doubts)).toEqual([[], []]);
  });

  test('are named and not read', () => {
    const seen = [...volumes].map(([name, { type, device, exclusive }]) => [name, { type, read: device !== null, exclusive }]);
    expect(Object.fromEntries(seen)).toEqual({
      plain: { type: 'linear', read: true, exclusive: true },
      // Their bytes are what their filesystem sees, but another volume sees them too.
      base: { type: 'linear', read: true, exclusive: false },
      template: { type: 'linear', read: true, exclusive: false },
      snap: { type: 'snapshot', read: false, exclusive: false },
      mirrored: { type: 'raid1', read: false, exclusive: false },
      pool: { type: 'thin-pool', read: false, exclusive: false },
      thin: { type: 'thin', read: false, exclusive: false },
      copy: { type: 'thin', read: false, exclusive: false },
    });
  });

  test('have all of their extents in use, whatever is said of what is inside', async () => {
    const nothing = new Map([...volumes.values()].map((volume) => [volume, []]));
    for (const [index, pv] of pvs.entries()) {
      const rows = await tools.report('pvs', 'pv_name,pvseg_start,pvseg_size,lv_name', '--segments', '-a', loops[index] ?? '');
      const inUse = new Set<number>();
      for (const [, first, count, name] of rows) {
        if (name === '') continue;
        for (let extent = 0; extent < Number(count); extent += 1) inUse.add(Number(first) + extent);
      }
      const extentsOf = (inner: Parameters<PhysicalVolume['usedExtents']>[0]) =>
        pv
          .usedExtents(inner)
          .flatMap(({ offsetBytes, lengthBytes }) =>
            Array.from({ length: lengthBytes / MIB }, (_, extent) => offsetBytes / MIB + extent - 1),
          )
          .filter((extent) => extent >= 0);
      expect(extentsOf(new Map())).toEqual([...inUse].sort((left, right) => left - right));
      // Of the plain one nothing is left, of all others everything.
      const plain = index === 0 ? [0, 1] : [];
      expect(extentsOf(nothing)).toEqual(extentsOf(new Map()).filter((extent) => !plain.includes(extent)));
    }
  });
});
