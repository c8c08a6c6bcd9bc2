import { describe, expect, it } from 'vitest';
import { layoutFingerprint, openFileDevice } from '../index.ts';
import { run } from '../testing/machine.ts';
import { missingNeeds, titled } from '../testing/missingNeeds.ts';
import { MIB, TABLE_TOOLS, tableImage } from '../testing/tableImage.ts';

const disk = tableImage();
const noTools = missingNeeds(...TABLE_TOOLS);

const withLogical = `label: dos
start=2048, size=20480, type=c
start=30720, size=120000, type=f
start=32768, size=4096, type=83
start=40960, size=8192, type=82
`;

describe.skipIf(noTools !== null)(titled('the layout fingerprint', noTools), () => {
  it('follows the table, the size and the sector size, and nothing else', async () => {
    disk.sgdisk('-n', '1:0:+8M', '-n', '2:0:0');
    const first = await disk.fingerprint();
    await disk.corrupt(50 * MIB, Buffer.from('content of a partition'));
    expect(await disk.fingerprint()).toBe(first);
    disk.sgdisk('-c', '2:renamed');
    const renamed = await disk.fingerprint();
    expect(renamed).not.toBe(first);
    await disk.corrupt(96 * MIB - 512, Buffer.alloc(8));
    expect(await disk.fingerprint()).not.toBe(renamed);
    const device = await openFileDevice(disk.path, { sectorBytes: 4096 });
    expect(await layoutFingerprint(device)).not.toBe(await disk.fingerprint());
    await device.close();
  });

  it('sees changed boot records of logical partitions, and content where there is no table', async () => {
    const empty = await disk.fingerprint();
    await disk.corrupt(MIB - 1, Buffer.from([1]));
    expect(await disk.fingerprint()).not.toBe(empty);
    disk.sfdisk(withLogical);
    const first = await disk.fingerprint();
    run('sfdisk', ['-q', '--part-type', disk.path, '6', '83']);
    expect(await disk.fingerprint()).not.toBe(first);
  });
});
