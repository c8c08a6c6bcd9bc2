import type { BlockDevice, Extent } from '@diskfleet/disk';
import { DiskError } from '@diskfleet/disk';
import { type DirectoryEntry, type Filesystem, FilesystemError } from '@diskfleet/filesystem';
import type { FilesystemReader } from '@diskfleet/filesystem/testing/parsers';
import { insist } from '../engine/target.ts';

const MAX_ENTRIES = 300;
const MAX_FILES = 40;
const MAX_LAYOUTS = 300;
const HEAD_BYTES = 48 << 10;
const TAIL_BYTES = 4 << 10;

/** Lets the errors a reader may throw pass, and no others. */
export async function codedOnly(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof FilesystemError || error instanceof DiskError)) throw error;
  }
}

/** All a reader offers: the map, the folders, both ends of files, where their content lies; each held against its contract. */
export async function exerciseReader(reader: FilesystemReader, device: BlockDevice): Promise<void> {
  if (!(await reader.probe(device))) return;
  await codedOnly(async () => {
    const filesystem = await reader.open(device);
    checkInfo(filesystem, reader, device);
    await codedOnly(() => checkMap(filesystem, device));
    await walk(filesystem);
    await codedOnly(() => checkLayouts(filesystem, device));
    await codedOnly(async () => {
      for (const { extents, mustBeZero } of (await filesystem.volatileFiles?.()) ?? []) {
        checkExtents(extents, device.sizeBytes);
        checkExtents(mustBeZero, device.sizeBytes);
      }
    });
  });
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function checkInfo({ info }: Filesystem, reader: FilesystemReader, device: BlockDevice): void {
  insist(reader.kinds.includes(info.kind), `kind ${info.kind}`);
  insist(isSize(info.blockBytes) && info.blockBytes > 0, `blocks of ${info.blockBytes} bytes`);
  insist(isSize(info.totalBytes) && info.totalBytes <= device.sizeBytes, `${info.totalBytes} bytes of ${device.sizeBytes}`);
  insist(isSize(info.usedBytes) && info.usedBytes <= info.totalBytes, `${info.usedBytes} used of ${info.totalBytes}`);
  insist(typeof info.label === 'string' && typeof info.uuid === 'string' && typeof info.clean === 'boolean', 'the info');
}

/** Sorted, disjoint, non-adjacent, inside. */
export function checkExtents(extents: readonly Extent[], limitBytes: number): void {
  let end = -1;
  for (const { offsetBytes, lengthBytes } of extents) {
    insist(isSize(offsetBytes) && isSize(lengthBytes) && lengthBytes > 0, `extent ${offsetBytes}+${lengthBytes}`);
    insist(offsetBytes > end, `extent ${offsetBytes} after one that ends at ${end}`);
    end = offsetBytes + lengthBytes;
  }
  insist(end <= limitBytes, `an extent ends at ${end} of ${limitBytes}`);
}

async function checkMap(filesystem: Filesystem, device: BlockDevice): Promise<void> {
  const map = await filesystem.usedMap();
  checkExtents(map.extents, device.sizeBytes);
  const sum = map.extents.reduce((bytes, { lengthBytes }) => bytes + lengthBytes, 0);
  insist(map.usedBytes === sum, `${map.usedBytes} used bytes in extents of ${sum}`);
  insist(map.warnings.length <= 100, `${map.warnings.length} warnings`);
}

async function walk(filesystem: Filesystem): Promise<void> {
  const seen = new Set<string>();
  const queue: DirectoryEntry[] = [];
  let entries = 0;
  let files = 0;
  await codedOnly(async () => queue.push(await filesystem.root()));
  for (let directory = queue.pop(); directory && entries < MAX_ENTRIES; directory = queue.pop()) {
    if (seen.has(directory.ref)) continue;
    seen.add(directory.ref);
    const current = directory;
    await codedOnly(async () => {
      for await (const entry of filesystem.readDirectory(current)) {
        checkEntry(entry);
        if (++entries >= MAX_ENTRIES) return;
        for (const { name } of entry.streams ?? []) await codedOnly(() => readEnds(filesystem, entry, name));
        if (entry.type === 'directory') queue.push(entry);
        else if (entry.type === 'file' && entry.sizeBytes > 0 && ++files <= MAX_FILES)
          await codedOnly(() => readEnds(filesystem, entry));
      }
    });
  }
}

function checkEntry(entry: DirectoryEntry): void {
  insist(!/[/\0]/.test(entry.name), `a name ${JSON.stringify(entry.name)}`);
  insist(entry.name.isWellFormed(), 'a name that is no Unicode');
  insist(isSize(entry.sizeBytes), `a file of ${entry.sizeBytes} bytes`);
  insist(entry.modifiedAtMs === null || Number.isFinite(entry.modifiedAtMs), `modified at ${entry.modifiedAtMs}`);
}

async function readEnds(filesystem: Filesystem, entry: DirectoryEntry, stream?: string): Promise<void> {
  const content = await filesystem.openFile(entry, { stream });
  insist(isSize(content.sizeBytes), `content of ${content.sizeBytes} bytes`);
  const head = new Uint8Array(Math.min(content.sizeBytes, HEAD_BYTES));
  await codedOnly(() => content.read(0, head));
  const tail = new Uint8Array(Math.min(content.sizeBytes, TAIL_BYTES));
  await codedOnly(() => content.read(content.sizeBytes - tail.length, tail));
}

async function checkLayouts(filesystem: Filesystem, device: BlockDevice): Promise<void> {
  if (!filesystem.fileLayouts) return;
  let count = 0;
  for await (const layout of filesystem.fileLayouts()) {
    insist(isSize(layout.sizeBytes) && layout.extents.length > 0, `the layout of ${layout.path}`);
    let end = 0;
    for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of layout.extents) {
      insist(isSize(fileOffsetBytes) && isSize(volumeOffsetBytes) && isSize(lengthBytes) && lengthBytes > 0, 'a run of a layout');
      insist(fileOffsetBytes >= end, `a run at ${fileOffsetBytes} after one that ends at ${end}`);
      insist(volumeOffsetBytes + lengthBytes <= device.sizeBytes, `a run ends at ${volumeOffsetBytes + lengthBytes}`);
      end = fileOffsetBytes + lengthBytes;
    }
    if (++count >= MAX_LAYOUTS) return;
  }
}
