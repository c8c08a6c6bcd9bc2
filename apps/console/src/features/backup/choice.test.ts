import type { BackupPlanView, InventoryDisk } from '@diskfleet/protocol';
import { describe, expect, it } from 'vitest';
import { disk, GiB, MiB, workstationDisks } from '../../testing/disks.ts';
import { type Choice, chosenDisks, firstChoice, partsOf, takingOf, tickedFirst, toggleDisk, toggleSegment } from './choice.ts';

const [nvme, sda, empty, usb] = workstationDisks;
if (!nvme || !sda || !empty || !usb) throw new Error('fixtures');
const bare: InventoryDisk = {
  ...disk({ name: 'sdx', sizeBytes: 4 * GiB }, []),
  filesystem: { kind: 'ext4', label: 'bare', uuid: '', totalBytes: 4 * GiB, usedBytes: GiB, clean: true },
};
const unread: InventoryDisk = { ...disk({ name: 'sdy', sizeBytes: 2 * GiB }, []), warnings: ['I/O error'] };
const disks = [...workstationDisks, bare, unread];
const plain = { sectorBySector: false, leaveOutSwap: true };
const nothing: Choice = { kind: 'partition', disks: new Set(), parts: new Set() };

const system: BackupPlanView = {
  backupKind: 'system',
  disks: [
    {
      key: nvme.key,
      name: nvme.name,
      partitions: nvme.partitions.map((part) => ({
        number: part.number,
        included: part.number !== 4,
        why: part.number === 4 ? 'data: mounted at /mnt/projects' : 'the running system uses it',
        label: '',
        filesystem: null,
        sizeBytes: part.sizeBytes,
        usedBytes: 0,
      })),
    },
    { key: bare.key, name: bare.name, partitions: [] },
  ],
  leftOutDisks: [{ key: sda.key, name: sda.name, sizeBytes: sda.sizeBytes, why: 'a data disk' }],
  includedBytes: 0,
  leftOutBytes: 0,
  warnings: [],
  problem: null,
};

function taking(choice: Choice, options = plain, selection: BackupPlanView | null = null) {
  return takingOf({ disks, choice, system: selection, options });
}
const of = (choice: Choice, wanted: InventoryDisk, options = plain, selection: BackupPlanView | null = null) => {
  const found = taking(choice, options, selection).disks.find((each) => each.disk.key === wanted.key);
  if (!found) throw new Error('not among the disks');
  return found;
};

describe('whole disks', () => {
  it('begins with every disk that holds something and stays in the PC', () => {
    expect(chosenDisks(firstChoice(disks), disks).map(({ key }) => key)).toEqual([nvme.key, sda.key, bare.key]);
    expect(chosenDisks(firstChoice(disks, [usb.key]), disks)).toEqual([{ key: usb.key }]);
  });

  it('shows what is ticked at the start before the rest, in the order it came', () => {
    const order = tickedFirst(disks, firstChoice(disks, [bare.key, sda.key])).map(({ key }) => key);
    expect(order).toEqual([
      sda.key,
      bare.key,
      ...disks.map(({ key }) => key).filter((key) => key !== sda.key && key !== bare.key),
    ]);
  });

  it('reads what is used, nothing of free space, and of swap nothing when its contents are left out', () => {
    const choice = firstChoice(disks, [nvme.key]);
    const used = 38 * MiB + 412 * MiB + 96.4 * GiB + 311 * GiB;
    expect(taking(choice)).toMatchObject({ takenDisks: 1, readBytes: used, ofBytes: nvme.sizeBytes });
    expect(of(choice, nvme).takes.get('p5')?.text).toBe('Emptied');
    expect(taking(choice, { ...plain, leaveOutSwap: false }).readBytes).toBe(used + 16 * GiB);
    const all = nvme.partitions.reduce((sum, part) => sum + part.sizeBytes, 0);
    expect(taking(choice, { ...plain, sectorBySector: true }).readBytes).toBe(all);
  });

  it('takes an unread disk whole, an empty one as nothing, and counts both when ticked', () => {
    expect(of(firstChoice(disks, [unread.key]), unread)).toMatchObject({ taken: 'all', readBytes: unread.sizeBytes });
    expect(of(firstChoice(disks, [empty.key]), empty)).toMatchObject({ taken: 'all', readBytes: 0 });
    expect(of(firstChoice(disks, []), empty).taken).toBe('none');
  });
});

describe('partitions', () => {
  it('are taken in and left out one by one or by disk, on several disks at once', () => {
    const two = toggleSegment(toggleSegment(nothing, nvme, 'p3'), sda, 'p2');
    expect(chosenDisks(two, disks)).toEqual([
      { key: nvme.key, partitions: [3] },
      { key: sda.key, partitions: [2] },
    ]);
    expect(of(two, nvme)).toMatchObject({ taken: 'some', readBytes: 96.4 * GiB });
    expect(of(two, nvme).leftOut.map(({ part }) => part.number)).toEqual([1, 2, 4, 5]);
    expect(chosenDisks(toggleSegment(two, nvme, 'p3'), disks)).toEqual([{ key: sda.key, partitions: [2] }]);
    const whole = toggleDisk(two, nvme, true);
    expect(of(whole, nvme).taken).toBe('all');
    expect(chosenDisks(toggleDisk(whole, nvme, false), disks)).toEqual([{ key: sda.key, partitions: [2] }]);
  });

  it('are chosen from a table: a disk without one has none, and says so', () => {
    expect(partsOf(bare).map((part) => part.number)).toEqual([0]);
    const ticked = toggleSegment(nothing, bare, 'p0');
    expect(chosenDisks(ticked, disks)).toEqual([]);
    expect(of(ticked, bare)).toMatchObject({
      taken: 'none',
      leftOut: [{ reason: 'it has no partitions: back up the whole disk' }],
    });
  });

  it('never are the container of logical ones', () => {
    const mbr = {
      ...sda,
      table: 'mbr' as const,
      partitions: sda.partitions.map((part, index) => ({ ...part, type: index === 0 ? '0x0f' : '0x07' })),
    };
    expect(partsOf(mbr).map((part) => part.number)).toEqual([2]);
    expect(chosenDisks(toggleDisk(nothing, mbr, true), [mbr])).toEqual([{ key: mbr.key, partitions: [2] }]);
  });
});

describe('the system', () => {
  const choice: Choice = { ...firstChoice(disks), kind: 'system' };

  it('is what the server says, each part with its reason', () => {
    const { takes, leftOut, taken } = of(choice, nvme, plain, system);
    expect(taken).toBe('some');
    expect(takes.get('p3')).toMatchObject({ included: true, reason: 'the running system uses it', readBytes: 96.4 * GiB });
    expect(leftOut.map(({ part, reason }) => [part.number, reason])).toEqual([[4, 'data: mounted at /mnt/projects']]);
    expect(of(choice, sda, plain, system).leftOut.every(({ reason }) => reason === 'a data disk')).toBe(true);
    expect(of(choice, bare, plain, system).taken).toBe('all');
    expect(chosenDisks(choice, disks)).toEqual([]);
  });

  it('takes nothing while the selection is not known', () => {
    expect(taking(choice)).toMatchObject({ takenDisks: 0, readBytes: 0 });
  });
});
