/**
 * Looks into the filesystems of a disk, live or at rest, for what makes a PC start and run: a few names near each root. Nothing is
 * mounted; what cannot be read says nothing.
 */
import { type BlockDevice, DiskError } from '@diskfleet/disk';
import { type DirectoryEntry, type Filesystem, FilesystemError } from '@diskfleet/filesystem';
import { type FstabLine, parseFstab, volumesOfLine } from './fstab.ts';
import { readVolumes } from './readVolumes.ts';
import type { DiskOfPc } from './selectSystem.ts';

export interface FoundSystems {
  /** By partition number; 0 is a disk without a table. Only volumes of which there is something to say. */
  readonly holds: ReadonlyMap<number, readonly string[]>;
  /** Names of what volumes are parts of, by partition number: LVM volume groups. */
  readonly groups: ReadonlyMap<number, string>;
  /** The tables of mounts of the Linux systems found, for `mountedByFstab`. */
  readonly fstabs: readonly (readonly FstabLine[])[];
}

const MAX_FSTAB_BYTES = 64 * 1024;
/** A folder of a system has its few names among the first so many. */
const MAX_NAMES = 20_000;
const MAX_VOLUMES = 100;
/** Where the root of a system lies in a btrfs: at the top, or in the subvolume distributions make for it. */
const subvolumes: readonly (readonly string[])[] = [[], ['@'], ['root'], ['@rootfs'], ['@', '.snapshots', '1', 'snapshot']];

/** @throws DiskError when the table cannot be read */
export async function lookForSystems(device: BlockDevice): Promise<FoundSystems> {
  const found = await readVolumes(device);
  const holds = new Map<number, readonly string[]>();
  const groups = new Map<number, string>();
  const fstabs: (readonly FstabLine[])[] = [];
  const volumes = found.table === null ? [{ partition: null, ...found.whole }] : found.volumes;
  for (const { partition, filesystem, logicalVolumes } of volumes) {
    const filesystems = logicalVolumes?.map(({ content }) => content?.filesystem) ?? [filesystem];
    const words: string[] = [];
    for (const one of filesystems) if (one) words.push(...(await wordsOf(one, fstabs)));
    if (found.table?.kind === 'mbr' && partition?.bootable === true) words.push('active');
    if (words.length > 0) holds.set(partition?.number ?? 0, words);
    if (filesystem?.info.kind === 'lvm2') {
      const [group] = await new Look(filesystem).names([]);
      if (group !== undefined) groups.set(partition?.number ?? 0, `lvm2 ${group}`);
    }
  }
  return { holds, groups, fstabs };
}

/** Adds to each volume where systems at rest mount it; volumes the running system uses keep what is known of them. */
export function mountedByFstab(
  disks: readonly DiskOfPc[],
  fstabs: FoundSystems['fstabs'],
): (disk: string, partition: number) => string[] {
  const points = new Map<string, string[]>();
  for (const { what, mountPoint } of fstabs.flat()) {
    for (const { disk, partition } of volumesOfLine(what, disks)) {
      const name = `${partition} ${disk}`;
      const known = points.get(name) ?? [];
      if (!known.includes(mountPoint)) points.set(name, [...known, mountPoint]);
    }
  }
  return (disk, partition) => points.get(`${partition} ${disk}`) ?? [];
}

async function wordsOf(filesystem: Filesystem, fstabs: (readonly FstabLine[])[]): Promise<string[]> {
  const look = new Look(filesystem);
  const { kind } = filesystem.info;
  if (kind === 'ntfs') return windowsWords(look);
  const names = await look.names([]);
  if (kind.startsWith('fat') || kind === 'exfat') return fatWords(names);
  const words: string[] = [];
  for (const top of await rootsOf(look, kind)) {
    if (!(await look.has([...top, 'etc', 'os-release'])) && !(await look.has([...top, 'usr', 'lib', 'os-release']))) continue;
    words.push('linux');
    const text = await look.text([...top, 'etc', 'fstab']);
    if (text !== null) fstabs.push(parseFstab(text));
    break;
  }
  if (words.length === 0 && isBoot(names)) words.push('linuxBoot');
  return words;
}

/** Where roots of systems may lie in it. Of a physical volume of LVM: the volumes of its group. */
async function rootsOf(look: Look, kind: Filesystem['info']['kind']): Promise<readonly (readonly string[])[]> {
  if (kind === 'btrfs') return subvolumes;
  if (kind !== 'lvm2') return [[]];
  const roots: string[][] = [];
  for (const group of await look.names([])) {
    for (const volume of (await look.names([group])).slice(0, MAX_VOLUMES)) roots.push([group, volume]);
  }
  return roots;
}

/** The root of /boot: kernels and the folders of their loaders. */
function isBoot(names: readonly string[]): boolean {
  return names.some(
    (name) => /^(vmlinu[xz]|bzImage|kernel)[-.\d]/.test(name) || ['grub', 'grub2', 'loader', 'extlinux'].includes(name),
  );
}

function fatWords(names: readonly string[]): string[] {
  const lower = names.map((name) => name.toLowerCase());
  const words: string[] = [];
  if (lower.includes('efi')) words.push('efi');
  // The first is how boards (Raspberry Pi) name theirs.
  if ((lower.includes('config.txt') && lower.includes('cmdline.txt')) || isBoot(lower)) words.push('linuxBoot');
  if (lower.includes('bootmgr')) words.push('windowsBoot');
  return words;
}

async function windowsWords(look: Look): Promise<string[]> {
  const words: string[] = [];
  if ((await look.has(['Windows', 'System32'])) || (await look.has(['WINNT', 'system32']))) words.push('windows');
  if ((await look.has(['bootmgr'])) || (await look.has(['Boot', 'BCD'])) || (await look.has(['ntldr'])))
    words.push('windowsBoot');
  if (words.length === 0 && (await look.has(['Recovery', 'WindowsRE']))) words.push('recovery');
  return words;
}

/** Questions to one filesystem; damage is a "no". */
class Look {
  readonly #filesystem: Filesystem;
  readonly #folders = new Map<string, ReadonlyMap<string, DirectoryEntry>>();

  constructor(filesystem: Filesystem) {
    this.#filesystem = filesystem;
  }

  async has(path: readonly string[]): Promise<boolean> {
    return (await this.#find(path)) !== null;
  }

  async text(path: readonly string[]): Promise<string | null> {
    const entry = await this.#find(path);
    if (entry?.type !== 'file' || entry.sizeBytes > MAX_FSTAB_BYTES) return null;
    return quietly(async () => {
      const bytes = Buffer.alloc(entry.sizeBytes);
      await (await this.#filesystem.openFile(entry)).read(0, bytes);
      return bytes.toString('utf8');
    });
  }

  async names(path: readonly string[]): Promise<readonly string[]> {
    const folder = await this.#find(path);
    return folder === null ? [] : [...(await this.#list(folder)).values()].map(({ name }) => name);
  }

  async #find(path: readonly string[]): Promise<DirectoryEntry | null> {
    let entry = await quietly(() => this.#filesystem.root());
    for (const name of path) {
      if (entry?.type !== 'directory') return null;
      entry = (await this.#list(entry)).get(this.#fold(name)) ?? null;
    }
    return entry;
  }

  /** The first names of a folder, each folder read once: volumes of data may have millions in one. */
  async #list(folder: DirectoryEntry): Promise<ReadonlyMap<string, DirectoryEntry>> {
    const known = this.#folders.get(folder.ref);
    if (known !== undefined) return known;
    const entries = new Map<string, DirectoryEntry>();
    this.#folders.set(folder.ref, entries);
    await quietly(async () => {
      for await (const entry of this.#filesystem.readDirectory(folder)) {
        if (!entries.has(this.#fold(entry.name))) entries.set(this.#fold(entry.name), entry);
        if (entries.size >= MAX_NAMES) break;
      }
    });
    return entries;
  }

  #fold(name: string): string {
    if (this.#filesystem.foldName !== undefined) return this.#filesystem.foldName(name);
    return this.#filesystem.info.kind === 'ntfs' ? name.toUpperCase() : name;
  }
}

/** Null when the bytes do not give an answer. */
async function quietly<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof FilesystemError || error instanceof DiskError) return null;
    throw error;
  }
}
