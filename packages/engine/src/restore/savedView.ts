/** What a restore takes from a saved disk: all of it, or one partition as if it were a disk of its own. */
import { type BlockDevice, type PartitionTable, readPartitionTable, sliceDevice } from '@diskfleet/disk';
import type { MapEntry, SavedDisk, SavedPoint } from '@diskfleet/vault';
import { EngineError } from '../errors.ts';
import { cachedDevice } from '../explore/cachedDevice.ts';
import { readLayout } from '../layout/readLayout.ts';
import { reasonOf } from '../layout/readVolumes.ts';
import { withLeftOut } from '../layout/withLeftOut.ts';
import type { DiskLayout, LayoutPartition } from '../types.ts';

export interface SavedView {
  readonly device: BlockDevice;
  readonly layout: DiskLayout;
  readonly table: PartitionTable | null;
  /** Set when the view is one partition. */
  readonly partition: LayoutPartition | null;
  readonly usedBytes: number;
  entries(): AsyncIterable<MapEntry>;
  close(): Promise<void>;
}

/** @throws EngineError `DISK_NOT_IN_POINT`, `PARTITION_NOT_FOUND` */
export async function openSavedView(point: SavedPoint, diskIndex: number, partition: number | null): Promise<SavedView> {
  const count = point.body.disks.length;
  if (!Number.isInteger(diskIndex) || diskIndex < 0 || diskIndex >= count) {
    const text = `restore point ${point.header.id} holds ${count} disks; there is no number ${diskIndex}`;
    throw new EngineError('DISK_NOT_IN_POINT', text);
  }
  const disk = await point.openDisk(diskIndex);
  try {
    return partition === null ? await wholeDisk(disk) : await onePartition(disk, partition);
  } catch (error) {
    await disk.close();
    throw error;
  }
}

async function wholeDisk(disk: SavedDisk): Promise<SavedView> {
  const device = cachedDevice(disk);
  return {
    device,
    layout: withLeftOut(await readLayout(device), disk.info),
    table: await readTable(device),
    partition: null,
    usedBytes: disk.info.usedBytes,
    entries: () => disk.mapEntries(),
    close: () => disk.close(),
  };
}

async function onePartition(disk: SavedDisk, number: number): Promise<SavedView> {
  const layout = withLeftOut(await readLayout(cachedDevice(disk)), disk.info);
  const partition = layout.partitions.find((one) => one.number === number);
  if (partition === undefined || partition.sizeBytes === 0) {
    throw new EngineError('PARTITION_NOT_FOUND', `the saved disk has no partition ${number}`);
  }
  if (partition.content === 'leftOut') {
    throw new EngineError('PARTITION_LEFT_OUT', `partition ${number} is not part of this restore point`);
  }
  const { startBytes, sizeBytes } = partition;
  const device = cachedDevice(sliceDevice(disk, startBytes, sizeBytes));
  const window = { startBytes, endBytes: startBytes + sizeBytes };
  return {
    device,
    layout: await readLayout(device),
    table: null,
    partition,
    usedBytes: await sumData(within(disk.mapEntries(), window)),
    entries: () => within(disk.mapEntries(), window),
    close: () => disk.close(),
  };
}

/** A table too damaged to be read is saved like any other bytes. */
async function readTable(device: BlockDevice): Promise<PartitionTable | null> {
  try {
    return await readPartitionTable(device);
  } catch (error) {
    reasonOf(error);
    return null;
  }
}

/** The entries inside a window, cut at its borders, counted from its start. */
async function* within(
  entries: AsyncIterable<MapEntry>,
  { startBytes, endBytes }: { startBytes: number; endBytes: number },
): AsyncGenerator<MapEntry> {
  for await (const entry of entries) {
    const from = Math.max(entry.offsetBytes, startBytes);
    const to = Math.min(entry.offsetBytes + entry.lengthBytes, endBytes);
    if (entry.offsetBytes >= endBytes) return;
    if (from >= to) continue;
    const place = { offsetBytes: from - startBytes, lengthBytes: to - from };
    if (entry.kind === 'zero') yield { kind: 'zero', ...place };
    else yield { ...entry, ...place, chunkOffsetBytes: entry.chunkOffsetBytes + from - entry.offsetBytes };
  }
}

async function sumData(entries: AsyncIterable<MapEntry>): Promise<number> {
  let bytes = 0;
  for await (const entry of entries) if (entry.kind === 'data') bytes += entry.lengthBytes;
  return bytes;
}
