import { mkdir, readFile } from 'node:fs/promises';
import { handMadeGroups, lvmTools, runTool, type Scratch } from '@diskfleet/filesystem/testing';
import type { SeedSource } from '../makeSeeds.ts';

const halfBytes = 8 << 20;

/** A group over two devices, which are the halves of the image. */
async function group(scratch: Scratch, fill: (create: (...args: string[]) => Promise<void>) => Promise<void>): Promise<Buffer> {
  await mkdir(scratch.path('none'));
  const files = [await scratch.sparseFile('a.img', halfBytes), await scratch.sparseFile('b.img', halfBytes)];
  const devices = [await scratch.attach(files[0] ?? ''), await scratch.attach(files[1] ?? '')];
  const lvm = await lvmTools(scratch, devices);
  await lvm.run('pvcreate', '-y', '--dataalignment', '64k', '--metadatasize', '64k', ...devices);
  await lvm.run('vgcreate', '-s', '64k', 'office', ...devices);
  await fill(lvm.create);
  for (const device of devices) await scratch.detach(device);
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file))));
}

export const seeds: readonly SeedSource[] = [
  {
    name: 'linear',
    make: (scratch) =>
      group(scratch, async (create) => {
        await create('-n', 'root', '-L', '1M', 'office');
        await create('-n', 'home', '-L', '2M', 'office');
        await create('-n', 'long', '-L', '10M', 'office');
      }),
  },
  {
    name: 'striped',
    make: (scratch) => group(scratch, (create) => create('-n', 'striped', '-i', '2', '-L', '1M', 'office')),
  },
  {
    name: 'kinds',
    // RAID, thin, cache and snapshots need a kernel driver to be made by the tools.
    make: async () => {
      const { MEMBER_IDS, everyKind, groupText, physicalVolume } = handMadeGroups;
      const text = groupText([60, 60], everyKind);
      return Buffer.concat(MEMBER_IDS.map((id) => physicalVolume(id, 60, text)));
    },
  },
  {
    name: 'alone',
    make: async (scratch) => {
      const image = await scratch.sparseFile('pv.img', halfBytes);
      const device = await scratch.attach(image);
      await (await lvmTools(scratch, [device])).run('pvcreate', '-y', device);
      await scratch.detach(device);
      await runTool('truncate', ['-s', String(2 * halfBytes), image]);
      return readFile(image);
    },
  },
];
