/** The writable filesystems that lie on one disk, each once however often it is mounted, in the order they are to be frozen. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type BlockGraph, type Place, placesOf, readBlockGraph } from '../blockGraph.ts';
import { listFolder, type Roots, readText } from '../roots.ts';
import { type MountLine, parseMountInfo, placesOfPath } from '../users.ts';

export interface Volume {
  /** Kernel name. */
  readonly device: string;
  /** The number of the partition it fills; null on a whole disk and when it is spread (LVM, RAID). */
  readonly partition: number | null;
  readonly fsType: string;
  /** Where it is mounted; the shortest path first. */
  readonly mounts: readonly { readonly id: number; readonly mountPoint: string }[];
  /** Its bytes on the disk; null when it is spread (LVM, RAID) or the size is not known. */
  readonly place: { readonly startBytes: number; readonly sizeBytes: number } | null;
  /** Other disks parts of it lie on. */
  readonly otherDisks: readonly string[];
}

export interface DiskVolumes {
  readonly volumes: readonly Volume[];
  /** Devices on this disk with a mounted filesystem that this process sees no mount of (another mount namespace). */
  readonly elsewhere: readonly { readonly device: string; readonly partition: number | null }[];
}

export async function volumesOf(roots: Roots, disk: string): Promise<DiskVolumes> {
  const graph = await readBlockGraph(roots);
  const lines = parseMountInfo((await readText(join(roots.proc, 'self/mountinfo'))) ?? '');
  const byNumber = new Map([...graph.values()].map((node) => [node.number, node.name]));
  const groups = new Map<string, { device: string; lines: MountLine[]; places: readonly Place[] }>();
  const seen = new Set<string>();
  for (const line of lines) {
    const device = byNumber.get(line.number) ?? deviceOf(line);
    const places = await placesOfVolume(roots, graph, { line, device });
    if (!places.some((place) => place.disk === disk)) continue;
    seen.add(device);
    if (line.readOnly) continue;
    const group = groups.get(device) ?? { device, lines: [], places };
    group.lines.push(line);
    groups.set(device, group);
  }
  const volumes = [...groups.values()].map(({ device, lines: of, places }) => volumeOf(graph, disk, { device, of, places }));
  return { volumes: volumes.sort(rootLast), elsewhere: await mountedElsewhere(roots, graph, { disk, seen }) };
}

/** btrfs mounts carry a number that is no device's: the source names one of its devices. */
function deviceOf(line: MountLine): string {
  return line.source.slice(line.source.lastIndexOf('/') + 1);
}

async function placesOfVolume(roots: Roots, graph: BlockGraph, { line, device }: { line: MountLine; device: string }) {
  if (line.fsType !== 'btrfs') return graph.has(device) ? placesOf(graph, device) : placesOfPath(roots, graph, line.source);
  const all = await btrfsDevices(roots);
  const name = (await placesOfPath(roots, graph, line.source))[0]?.disk;
  const mates = all.find((devices) => devices.includes(device) || (name != null && devices.includes(name))) ?? [device];
  return mates.flatMap((mate) => placesOf(graph, mate));
}

async function btrfsDevices(roots: Roots): Promise<string[][]> {
  const folder = join(roots.sys, 'fs/btrfs');
  const found: string[][] = [];
  for (const id of await listFolder(folder)) found.push(await listFolder(join(folder, id, 'devices')));
  return found;
}

interface Group {
  readonly device: string;
  readonly of: readonly MountLine[];
  readonly places: readonly Place[];
}

function volumeOf(graph: BlockGraph, disk: string, { device, of, places }: Group): Volume {
  const here = places.filter((place) => place.disk === disk);
  const start = here.length === 1 ? (here[0]?.startBytes ?? null) : null;
  const sizeBytes = graph.get(device)?.sizeBytes ?? 0;
  const isWhole = (name: string) => (graph.get(name)?.slaves.length ?? 0) === 0;
  const disks = places.flatMap((place) =>
    place.disk !== null && place.disk !== disk && isWhole(place.disk) ? [place.disk] : [],
  );
  const mounts = of.map(({ id, mountPoint }) => ({ id, mountPoint }));
  return {
    device,
    partition: partitionNumber(graph, disk, device),
    fsType: of[0]?.fsType ?? '',
    mounts: mounts.sort((a, b) => a.mountPoint.length - b.mountPoint.length),
    place: start === null || sizeBytes === 0 ? null : { startBytes: start, sizeBytes },
    otherDisks: [...new Set(disks)],
  };
}

/** `sda2`, `nvme0n1p2`: the kernel's names end in the number. */
export function partitionNumber(graph: BlockGraph, disk: string, device: string): number | null {
  if (graph.get(device)?.parent !== disk) return null;
  const number = /^p?(\d+)$/.exec(device.slice(disk.length))?.[1];
  return number === undefined ? null : Number(number);
}

/** What we run from is frozen last and thawed first; what is mounted deeper comes before what it is mounted in. */
function rootLast(a: Volume, b: Volume): number {
  return (b.mounts[0]?.mountPoint.length ?? 0) - (a.mounts[0]?.mountPoint.length ?? 0);
}

interface Searched {
  readonly disk: string;
  readonly seen: ReadonlySet<string>;
}

/** The kernel lists mounted filesystems in sysfs whatever namespace they are mounted in. */
async function mountedElsewhere(roots: Roots, graph: BlockGraph, { disk, seen }: Searched): Promise<DiskVolumes['elsewhere']> {
  const names: string[] = [];
  for (const kind of ['ext4', 'xfs', 'f2fs']) names.push(...(await listFolder(join(roots.sys, 'fs', kind))));
  for (const devices of await btrfsDevices(roots)) if (!devices.some((name) => seen.has(name))) names.push(...devices);
  const found = names.filter((name) => !seen.has(name) && placesOf(graph, name).some((place) => place.disk === disk));
  return found.map((device) => ({ device, partition: partitionNumber(graph, disk, device) }));
}

/** The id of the mount a path lies in, of what exists of the path; null when that cannot be told. */
export function mountIdOf(path: string): number | null {
  for (let at = path; ; at = dirname(at)) {
    try {
      const fd = openSync(at, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        return mountIdOfFd(fd);
      } finally {
        closeSync(fd);
      }
    } catch {
      if (at === dirname(at)) return null;
    }
  }
}

export function mountIdOfFd(fd: number): number | null {
  const id = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  return id === undefined ? null : Number(id);
}
