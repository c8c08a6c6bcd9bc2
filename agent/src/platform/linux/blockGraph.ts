/**
 * How the kernel's block devices lie on each other: partitions on disks, LVM and RAID on partitions, loop devices on files.
 * Everything comes from sysfs; no tool is run and no device is opened.
 */
import { join } from 'node:path';
import { listFolder, type Roots, readNumber, readText } from './roots.ts';

export interface BlockNode {
  /** Kernel name: `sda`, `sda2`, `dm-0`, `loop3`. */
  readonly name: string;
  /** `major:minor`. */
  readonly number: string;
  readonly sizeBytes: number;
  /** For a partition the disk it lies on, and where. */
  readonly parent: string | null;
  readonly startBytes: number;
  /** Devices this one is built of (LVM, RAID, encryption). */
  readonly slaves: readonly string[];
  readonly loop: { readonly backingFile: string; readonly offsetBytes: number } | null;
  readonly hidden: boolean;
  readonly removable: boolean;
  readonly readOnly: boolean;
  readonly sectorBytes: number;
}

export type BlockGraph = ReadonlyMap<string, BlockNode>;

/** Where the bytes of a device lie: on a whole disk of the kernel, or in a file behind a loop device. */
export interface Place {
  readonly disk: string | null;
  readonly file: string | null;
  /** Null when the device is spread (LVM, RAID). */
  readonly startBytes: number | null;
  /** Set when it is spread: where a device begins that it is spread over. */
  readonly memberBytes?: number;
}

/** sysfs counts in units of 512 bytes whatever the sectors are. */
const SYSFS_UNIT_BYTES = 512;
const MAX_DEPTH = 16;

export async function readBlockGraph(roots: Roots): Promise<BlockGraph> {
  const graph = new Map<string, BlockNode>();
  for (const name of await listFolder(join(roots.sys, 'block'))) {
    const folder = join(roots.sys, 'block', name);
    const disk = await readNode(folder, name, null);
    if (disk === null) continue;
    graph.set(name, disk);
    for (const child of await listFolder(folder)) {
      if (!child.startsWith(name)) continue;
      const partition = await readNode(join(folder, child), child, disk);
      if (partition !== null) graph.set(child, partition);
    }
  }
  return graph;
}

async function readNode(folder: string, name: string, parent: BlockNode | null): Promise<BlockNode | null> {
  const number = await readText(join(folder, 'dev'));
  if (number === null) return null;
  const backingFile = await readText(join(folder, 'loop', 'backing_file'));
  return {
    name,
    number,
    sizeBytes: ((await readNumber(join(folder, 'size'))) ?? 0) * SYSFS_UNIT_BYTES,
    parent: parent?.name ?? null,
    startBytes: ((await readNumber(join(folder, 'start'))) ?? 0) * SYSFS_UNIT_BYTES,
    slaves: await listFolder(join(folder, 'slaves')),
    loop: backingFile ? { backingFile, offsetBytes: (await readNumber(join(folder, 'loop', 'offset'))) ?? 0 } : null,
    hidden: (await readNumber(join(folder, 'hidden'))) === 1,
    removable: (await readNumber(join(folder, 'removable'))) === 1,
    readOnly: (await readNumber(join(folder, 'ro'))) === 1,
    sectorBytes: (await readNumber(join(folder, 'queue', 'logical_block_size'))) ?? parent?.sectorBytes ?? 512,
  };
}

/** Every disk and file that holds bytes of the device `name`, itself included when it is a whole disk. */
export function placesOf(graph: BlockGraph, name: string, depth = 0): Place[] {
  const node = graph.get(name);
  if (node === undefined || depth > MAX_DEPTH) return [];
  if (node.parent !== null) return shifted(placesOf(graph, node.parent, depth + 1), node.startBytes);
  const places: Place[] = [{ disk: name, file: null, startBytes: 0 }];
  for (const slave of node.slaves) {
    places.push(...placesOf(graph, slave, depth + 1).map(spread));
  }
  if (node.loop !== null) places.push(...behindLoop(graph, node.loop, depth));
  return places;
}

function behindLoop(graph: BlockGraph, loop: { backingFile: string; offsetBytes: number }, depth: number): Place[] {
  if (!loop.backingFile.startsWith('/dev/')) return [{ disk: null, file: loop.backingFile, startBytes: loop.offsetBytes }];
  return shifted(placesOf(graph, loop.backingFile.slice('/dev/'.length), depth + 1), loop.offsetBytes);
}

function spread(place: Place): Place {
  return place.startBytes === null ? place : { ...place, startBytes: null, memberBytes: place.startBytes };
}

function shifted(places: readonly Place[], byBytes: number): Place[] {
  return places.map((place) => ({
    ...place,
    startBytes: place.startBytes === null ? null : place.startBytes + byBytes,
    ...(place.memberBytes === undefined ? {} : { memberBytes: place.memberBytes + byBytes }),
  }));
}
