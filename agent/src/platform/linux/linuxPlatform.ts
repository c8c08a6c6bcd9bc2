/** Linux: disks and their users from sysfs, mountinfo and udev's database. No tool is run, no device opened. */
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { type DiskUse, type DiskView, type Platform, type PlatformDisk, unusedDisk } from '../types.ts';
import { type BlockGraph, type BlockNode, readBlockGraph } from './blockGraph.ts';
import { diskIdentity } from './diskIdentity.ts';
import { type Asked, diskUse } from './diskUse.ts';
import { linuxLiveDisks } from './live/liveDisks.ts';
import { machineFacts } from './machineFacts.ts';
import { type Roots, realRoots } from './roots.ts';
import { readUses } from './users.ts';

export interface LinuxOptions {
  readonly roots?: Roots;
  /** Whether this user may read a device; tests answer for devices that do not exist. */
  readonly mayRead?: (path: string) => Promise<boolean>;
}

export function linuxPlatform(options: LinuxOptions = {}): Platform {
  const roots = options.roots ?? realRoots;
  const mayRead = options.mayRead ?? canRead;
  return { name: 'linux', machine: () => machineFacts(roots), look: () => look(roots, mayRead), live: linuxLiveDisks(roots) };
}

async function look(roots: Roots, mayRead: (path: string) => Promise<boolean>): Promise<DiskView> {
  const graph = await readBlockGraph(roots);
  const uses = await readUses(roots, graph);
  const useOfNode = (node: BlockNode) => diskUse(graph, uses, askedOfNode(node));
  const disks: PlatformDisk[] = [];
  let unreadable = 0;
  for (const node of graph.values()) {
    if (!isDisk(node)) continue;
    const path = `/dev/${node.name}`;
    if (!(await mayRead(path))) unreadable += 1;
    else disks.push(await describe(roots, node, useOfNode(node)));
  }
  return {
    disks: uniqueKeys(disks),
    canReadDisks: unreadable === 0,
    limitation: unreadable === 0 ? null : limitation(unreadable),
    partitionAt: (path) => partitionAt(graph, path),
    useOf: (path) => useOfPath(graph, path, (asked) => diskUse(graph, uses, asked)),
  };
}

/** @param path a real one, as `/dev/sda3` */
function partitionAt(graph: BlockGraph, path: string): { diskPath: string; startBytes: number } | null {
  const node = path.startsWith('/dev/') ? graph.get(path.slice('/dev/'.length)) : undefined;
  if (node === undefined || node.parent === null) return null;
  return { diskPath: `/dev/${node.parent}`, startBytes: node.startBytes };
}

function limitation(count: number): string {
  const disks = count === 1 ? 'the disk of this PC' : `${count} disks of this PC`;
  return `Not running as root, so ${disks} cannot be read. Regular files used as disks work.`;
}

/** Floppies, optical and RAM disks, hidden paths, boot areas of eMMC, empty readers and volumes built on disks are no disks. */
function isDisk(node: BlockNode): boolean {
  if (node.parent !== null || node.hidden || node.sizeBytes === 0 || node.slaves.length > 0) return false;
  if (/^(fd|sr|ram|zram|dm-|md|bcache|mtdblock)/.test(node.name) || /^mmcblk\d+(boot\d+|rpmb)$/.test(node.name)) return false;
  return node.loop === null || !node.loop.backingFile.startsWith('/var/lib/snapd/');
}

async function describe(roots: Roots, node: BlockNode, use: DiskUse): Promise<PlatformDisk> {
  return {
    ...(await diskIdentity(roots, node)),
    path: `/dev/${node.name}`,
    name: node.name,
    sizeBytes: node.sizeBytes,
    sectorBytes: node.sectorBytes,
    removable: node.removable,
    readOnly: node.readOnly,
    use,
  };
}

/** Two disks with one serial (some USB bridges) must not be mistaken for each other: the second one also carries its name. */
function uniqueKeys(disks: readonly PlatformDisk[]): PlatformDisk[] {
  const seen = new Set<string>();
  return disks.map((disk) => {
    const key = seen.has(disk.key) ? `${disk.key}:${disk.name}` : disk.key;
    seen.add(key);
    return { ...disk, key };
  });
}

function askedOfNode(node: BlockNode): Asked {
  const file =
    node.loop === null ? null : { path: node.loop.backingFile, startBytes: node.loop.offsetBytes, sizeBytes: node.sizeBytes };
  return { disk: node.name, file };
}

async function useOfPath(graph: BlockGraph, path: string, ask: (asked: Asked) => DiskUse): Promise<DiskUse> {
  const real = await realpath(path).catch(() => null);
  if (real === null) return unusedDisk;
  const node = real.startsWith('/dev/') ? graph.get(real.slice('/dev/'.length)) : undefined;
  // A partition is as busy as the disk around it: overwriting either hurts the other's user.
  if (node !== undefined) return ask(askedOfNode(node.parent === null ? node : (graph.get(node.parent) ?? node)));
  const { size } = await stat(real);
  return ask({ disk: null, file: { path: real, startBytes: 0, sizeBytes: size } });
}

async function canRead(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
