/** Who uses which device now: mounts, swap, and devices built on others (LVM, RAID, encryption, bcache). */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockGraph, type Place, placesOf } from './blockGraph.ts';
import { type Roots, readText } from './roots.ts';

export interface Use {
  readonly kind: 'mount' | 'swap' | 'holder';
  /** Mount point, swap path, or the name of the device on top. */
  readonly what: string;
  readonly places: readonly Place[];
}

export async function readUses(roots: Roots, graph: BlockGraph): Promise<Use[]> {
  return [...(await readMounts(roots, graph)), ...(await readSwaps(roots, graph)), ...holders(graph)];
}

export interface MountLine {
  readonly id: number;
  readonly number: string;
  readonly mountPoint: string;
  readonly source: string;
  readonly fsType: string;
  /** Of the filesystem, not of this mount of it. */
  readonly readOnly: boolean;
}

/** Lines of /proc/self/mountinfo (proc_pid_mountinfo(5)): `id parent major:minor root mountpoint options… - type source …`. */
export function parseMountInfo(text: string): MountLine[] {
  const lines: MountLine[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    const [number, mountPoint, source] = [fields[2], fields[4], fields[dash + 2]];
    if (dash < 0 || !number || !mountPoint || source === undefined) continue;
    lines.push({
      id: Number(fields[0]),
      number,
      mountPoint: unescapeOctal(mountPoint),
      source: unescapeOctal(source),
      fsType: fields[dash + 1] ?? '',
      readOnly: (fields[dash + 3] ?? '').split(',').includes('ro'),
    });
  }
  return lines;
}

/** The kernel writes blanks, tabs, newlines and backslashes as `\040` and so on. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

async function readMounts(roots: Roots, graph: BlockGraph): Promise<Use[]> {
  const byNumber = new Map([...graph.values()].map((node) => [node.number, node.name]));
  const uses: Use[] = [];
  for (const mount of parseMountInfo((await readText(join(roots.proc, 'self/mountinfo'))) ?? '')) {
    const name = byNumber.get(mount.number);
    // btrfs and FUSE mounts carry an anonymous number; their source names the device or file.
    const places = name === undefined ? await placesOfPath(roots, graph, mount.source) : placesOf(graph, name);
    if (places.length > 0) uses.push({ kind: 'mount', what: mount.mountPoint, places });
  }
  return uses;
}

async function readSwaps(roots: Roots, graph: BlockGraph): Promise<Use[]> {
  const uses: Use[] = [];
  for (const line of ((await readText(join(roots.proc, 'swaps'))) ?? '').split('\n').slice(1)) {
    const path = unescapeOctal(line.split(/\s+/)[0] ?? '');
    if (path === '') continue;
    const places = await placesOfPath(roots, graph, path);
    if (places.length > 0) uses.push({ kind: 'swap', what: path, places });
  }
  return uses;
}

function holders(graph: BlockGraph): Use[] {
  return [...graph.values()]
    .filter((node) => node.slaves.length > 0)
    .map((node) => ({
      kind: 'holder',
      what: node.name,
      places: placesOf(graph, node.name).filter((place) => place.disk !== node.name),
    }));
}

/** A path under /dev, or an ordinary file something is mounted from. */
export async function placesOfPath(roots: Roots, graph: BlockGraph, path: string): Promise<Place[]> {
  if (!path.startsWith('/')) return [];
  if (!path.startsWith('/dev/')) {
    const file = await realpath(path).catch(() => null);
    return file === null ? [] : [{ disk: null, file, startBytes: 0 }];
  }
  const link = join(roots.dev, path.slice('/dev/'.length));
  const real = await realpath(link).catch(() => link);
  return placesOf(graph, real.slice(real.lastIndexOf('/') + 1));
}
