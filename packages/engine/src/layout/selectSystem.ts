/**
 * Which partitions a PC needs to start and to run its systems, decided from facts alone: no reading, no clock, no chance.
 *
 * What decides, strongest first: where the running system mounts a volume; what a look inside found (see lookForSystems.ts) and the
 * type of the partition; which volumes make one with a needed one (LVM, RAID, btrfs). Systems at rest count on the disks the
 * running one lives on (two systems on one PC), elsewhere they do not. What nobody can look into is taken when it may be
 * needed: a backup with too much costs room, one without the system is worthless. Everything else is data, and named as left out.
 */
import type { LayoutFilesystem, LayoutPartition } from '../types.ts';
import { claimOfMounts, claimOfType, claimOfWords, MAY_HIDE_A_SYSTEM } from './systemClaims.ts';

/** What tells that a volume belongs to a system. Unknown words say nothing. */
export interface VolumeFacts {
  /** `linux`, `linuxBoot`, `efi`, `windows`, `windowsBoot`, `recovery`, `active`. */
  readonly holds?: readonly string[] | undefined;
  /** Where systems mount it; `swap` for swap space. */
  readonly mountPoints?: readonly string[] | undefined;
  /** `mountPoints` are those of the running system. */
  readonly inUse?: boolean | undefined;
  /** Volumes with the same text make one. */
  readonly group?: string | undefined;
}

type PartitionFacts = VolumeFacts & Omit<LayoutPartition, 'content'>;

/** One disk of the PC; the facts of the disk itself count when it has no table. */
export interface DiskOfPc extends VolumeFacts {
  readonly key: string;
  readonly removable: boolean;
  readonly sizeBytes: number;
  readonly table: 'gpt' | 'mbr' | null;
  readonly tableId: string | null;
  readonly filesystem: LayoutFilesystem | null;
  readonly partitions: readonly PartitionFacts[];
}

export interface SystemPart {
  readonly disk: string;
  /** 0: the disk itself, which has no table. */
  readonly partition: number;
  readonly included: boolean;
  /** One clause for people. */
  readonly why: string;
  /** Nobody could tell; it was decided to be safe. */
  readonly doubtful: boolean;
}

export interface SystemSelection {
  /** False: nothing here looks like a system, so there is nothing to select. */
  readonly found: boolean;
  /** Every partition of every disk, in the order given. */
  readonly parts: readonly SystemPart[];
}

/** Why a volume is (or may be) needed. */
export interface Claim {
  /**
   * `system` an operating system itself; `boot` starts one; `swap`; `data` known to be none of these; `hidden` could be anything;
   * `structure` part of the partition table.
   */
  readonly kind: 'system' | 'boot' | 'swap' | 'data' | 'hidden' | 'structure';
  readonly why: string;
}

interface Volume extends VolumeFacts {
  readonly disk: DiskOfPc;
  readonly partition: number;
  readonly filesystem: LayoutFilesystem | null;
  readonly sizeBytes: number;
  /** What the running system does with it, where it does. */
  readonly running: Claim | null;
  readonly claim: Claim;
}

/** Of unknown content and this small: more likely a part of the firmware's or a loader's than somebody's data. */
const SMALL_BYTES = 64 * 1024 * 1024;

/** Pure. `facts.firmware` null or absent: not known. */
export function selectSystem(
  disks: readonly DiskOfPc[],
  facts: { readonly firmware?: 'uefi' | 'bios' | null | undefined } = {},
): SystemSelection {
  const volumes = disks.flatMap(volumesOf);
  const home = homeDisks(volumes);
  const isHome = (volume: Volume) => home === null || home.has(volume.disk);
  const hasSystem = (disk: DiskOfPc) => volumes.some((one) => one.disk === disk && one.claim.kind === 'system');
  let parts = volumes.map((volume) => ({ volume, verdict: judge(volume, isHome(volume), hasSystem(volume.disk)) }));
  if (facts.firmware === 'uefi') parts = withForeignEsp(parts);
  const groups = new Map(parts.flatMap(({ volume, verdict }) => (verdict.included ? groupEntries(volume) : [])));
  const decided = parts.map(({ volume, verdict }) => {
    const whole = groupEntries(volume).find(([group]) => groups.has(group));
    if (verdict.included || whole === undefined) return toPart(volume, verdict);
    return toPart(volume, { included: true, doubtful: false, why: 'makes one volume with others that are needed' });
  });
  const found = parts.some(({ volume, verdict }) => verdict.included && foundIn(volume));
  return { found, parts: decided };
}

function volumesOf(disk: DiskOfPc): Volume[] {
  const { sizeBytes, filesystem, holds, mountPoints, inUse, group } = disk;
  const whole = { disk, partition: 0, filesystem, sizeBytes, holds, mountPoints, inUse, group };
  if (disk.table === null) return [claimed(whole, '')];
  return disk.partitions.map((one) =>
    claimed(
      {
        disk,
        partition: one.number,
        filesystem: one.filesystem,
        sizeBytes: one.sizeBytes,
        holds: one.holds,
        mountPoints: one.mountPoints,
        inUse: one.inUse,
        group: one.group,
      },
      one.type,
    ),
  );
}

function claimed(volume: Omit<Volume, 'claim' | 'running'>, type: string): Volume {
  const { mountPoints = [], inUse = false, filesystem, sizeBytes } = volume;
  const mounts = claimOfMounts(mountPoints, inUse);
  const own = claimOfType(type, 'strong') ?? claimOfWords(volume.holds ?? []) ?? claimOfType(type, 'weak');
  const needed = mounts !== null && mounts.kind !== 'data' ? mounts : null;
  const claim = needed ?? own ?? claimOfKind(filesystem, sizeBytes) ?? mounts ?? noSystem(filesystem);
  // A closed volume that a system opens for something else is no riddle.
  const known = claim.kind === 'hidden' && mounts !== null ? mounts : claim;
  return { ...volume, claim: known, running: inUse ? mounts : null };
}

function claimOfKind(filesystem: LayoutFilesystem | null, sizeBytes: number): Claim | null {
  if (filesystem === null) {
    if (sizeBytes > SMALL_BYTES) return { kind: 'hidden', why: 'of unknown content' };
    return { kind: 'boot', why: 'small and of unknown content: it may be needed to start' };
  }
  if (filesystem.kind === 'swap') return { kind: 'swap', why: 'swap space: its header, so that the system finds it again' };
  if (filesystem.kind === 'swsuspend') return { kind: 'swap', why: 'the memory of a sleeping system' };
  const what = MAY_HIDE_A_SYSTEM.get(filesystem.kind);
  return what === undefined ? null : { kind: 'hidden', why: what };
}

function noSystem(filesystem: LayoutFilesystem | null): Claim {
  return { kind: 'data', why: `data: no system was found on this ${filesystem?.kind ?? ''} volume`.replace('  ', ' ') };
}

/** The disks the running system lives on; null when no running system is among these disks: then all count. */
function homeDisks(volumes: readonly Volume[]): ReadonlySet<DiskOfPc> | null {
  const own = volumes.filter(({ running }) => running?.kind === 'system' || running?.kind === 'boot');
  return own.some(({ mountPoints }) => mountPoints?.includes('/')) ? new Set(own.map(({ disk }) => disk)) : null;
}

type Verdict = Omit<SystemPart, 'disk' | 'partition'>;

function judge(volume: Volume, atHome: boolean, systemOnDisk: boolean): Verdict {
  const { claim, running } = volume;
  if (running !== null && running.kind !== 'data') return { included: true, why: running.why, doubtful: false };
  if (claim.kind === 'data') return { included: false, why: claim.why, doubtful: false };
  if (!atHome) {
    return { included: false, why: `on a disk the running system does not need (${claim.why})`, doubtful: false };
  }
  if (claim.kind !== 'hidden') return { included: true, why: claim.why, doubtful: false };
  const closed = /encrypted/.test(claim.why);
  if (closed || !systemOnDisk) return { included: true, why: `${claim.why}: the system may lie in it`, doubtful: true };
  return { included: false, why: `${claim.why}; the system of this disk lies elsewhere`, doubtful: true };
}

interface Judged {
  readonly volume: Volume;
  readonly verdict: Verdict;
}

/** A PC started by UEFI has an EFI system partition somewhere: on another fixed disk when its own disks have none. */
function withForeignEsp(parts: Judged[]): Judged[] {
  const isEsp = ({ volume }: Judged) => volume.claim.why.startsWith('EFI system partition');
  if (parts.some((part) => part.verdict.included && (isEsp(part) || part.volume.holds?.includes('efi')))) return parts;
  const why = 'EFI system partition: this PC starts by one, and the disks of its system have none';
  return parts.map((part) =>
    isEsp(part) && !part.volume.disk.removable ? { ...part, verdict: { included: true, why, doubtful: true } } : part,
  );
}

/** Names of what a volume is a part of. */
function groupEntries({ group, filesystem }: Volume): [string, true][] {
  const entries: [string, true][] = [];
  if (group !== undefined && group !== '') entries.push([`group ${group}`, true]);
  const spread = filesystem !== null && (filesystem.kind === 'btrfs' || filesystem.kind === 'linux-raid');
  if (spread && filesystem.uuid !== '') entries.push([`${filesystem.kind} ${filesystem.uuid}`, true]);
  return entries;
}

function foundIn({ claim, running }: Volume): boolean {
  return running?.kind === 'system' || claim.kind === 'system' || claim.kind === 'hidden';
}

function toPart({ disk, partition }: Volume, verdict: Verdict): SystemPart {
  return { disk: disk.key, partition, ...verdict };
}
