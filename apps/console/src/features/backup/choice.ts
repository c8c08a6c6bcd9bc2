/**
 * What a person chose to back up, and what that means for every segment of every disk: in or out, why, and how much is read.
 * Pure. Which parts make up the system is decided by the server from the same inventory; here it is only shown.
 */
import type { BackupPlanView, ChosenDisk, InventoryDisk, InventoryPartition } from '@diskfleet/protocol';
import type { Take } from '../diskMap/inclusion';
import { isContainer, isLocked, isUnread } from '../diskMap/layoutDisk.ts';

export const backupKinds = ['system', 'disk', 'partition'] as const;
export type BackupKind = (typeof backupKinds)[number];

export interface Choice {
  readonly kind: BackupKind;
  /** For `disk`: keys of whole disks. */
  readonly disks: ReadonlySet<string>;
  /** For `partition`: `partKey` of each. */
  readonly parts: ReadonlySet<string>;
}

/** What the server would take for a backup of the system, each part with its reason. */
export type SystemSelection = Pick<BackupPlanView, 'disks' | 'leftOutDisks'>;

export interface TakingOptions {
  readonly sectorBySector: boolean;
  readonly leaveOutSwap: boolean;
}

export interface DiskTaking {
  readonly disk: InventoryDisk;
  /** By segment key of the map. */
  readonly takes: ReadonlyMap<string, Take>;
  readonly taken: 'all' | 'some' | 'none';
  readonly leftOut: readonly { readonly part: InventoryPartition; readonly reason: string }[];
  readonly readBytes: number;
}

export interface Taking {
  readonly disks: readonly DiskTaking[];
  readonly takenDisks: number;
  readonly readBytes: number;
  /** Size of the disks that anything is taken of. */
  readonly ofBytes: number;
}

export function partKey(diskKey: string, number: number): string {
  return `${diskKey}#${number}`;
}

/** Every disk that holds something and stays in the PC: leaving data out is for the person to say. */
export function firstChoice(disks: readonly InventoryDisk[], diskKeys?: readonly string[]): Choice {
  const held = disks.filter((disk) => !disk.removable && partsOf(disk).length > 0).map((disk) => disk.key);
  return { kind: 'disk', disks: new Set(diskKeys ?? held), parts: new Set() };
}

/** The disks that are ticked before the others, each group in the order it came: what will be read is in view. */
export function tickedFirst(disks: readonly InventoryDisk[], { disks: ticked }: Choice): readonly InventoryDisk[] {
  return [...disks.filter(({ key }) => ticked.has(key)), ...disks.filter(({ key }) => !ticked.has(key))];
}

/** What can be chosen of a disk; a filesystem without a table counts as partition 0. */
export function partsOf(disk: InventoryDisk): readonly InventoryPartition[] {
  if (disk.partitions.length > 0) return disk.partitions.filter((part) => !isContainer(part));
  if (!disk.filesystem) return [];
  const { filesystem, sizeBytes } = disk;
  const whole = { number: 0, startBytes: 0, sizeBytes, type: '', typeName: 'whole disk', id: null, name: '', mountPoint: null };
  return [{ ...whole, filesystem }];
}

/** Partitions are chosen from a table: a disk without one is backed up whole or not at all. */
export function hasPartitions(disk: InventoryDisk): boolean {
  return disk.partitions.length > 0;
}

export function toggleDisk(choice: Choice, disk: InventoryDisk, on: boolean): Choice {
  if (choice.kind === 'disk') return { ...choice, disks: changed(choice.disks, [disk.key], on) };
  const keys = partsOf(disk).map((part) => partKey(disk.key, part.number));
  return { ...choice, parts: changed(choice.parts, keys, on) };
}

/** `segmentKey` as the map names it: `p3`. */
export function toggleSegment(choice: Choice, disk: InventoryDisk, segmentKey: string): Choice {
  const key = partKey(disk.key, Number(segmentKey.slice(1)));
  return { ...choice, parts: changed(choice.parts, [key], !choice.parts.has(key)) };
}

function changed(before: ReadonlySet<string>, keys: readonly string[], on: boolean): ReadonlySet<string> {
  const next = new Set(before);
  for (const key of keys) {
    if (on) next.add(key);
    else next.delete(key);
  }
  return next;
}

interface TakingInput {
  readonly disks: readonly InventoryDisk[];
  readonly choice: Choice;
  /** Null while it is not known: nothing is taken then. */
  readonly system: SystemSelection | null;
  readonly options: TakingOptions;
}

export function takingOf({ disks, choice, system, options }: TakingInput): Taking {
  const all = disks.map((disk) => takingOfDisk(disk, decider(disk, choice, system), options));
  const taken = all.filter((each) => each.taken !== 'none');
  return {
    disks: all,
    takenDisks: taken.length,
    readBytes: taken.reduce((sum, each) => sum + each.readBytes, 0),
    ofBytes: taken.reduce((sum, each) => sum + each.disk.sizeBytes, 0),
  };
}

type Decide = (number: number) => { readonly included: boolean; readonly reason: string };

function decider(disk: InventoryDisk, choice: Choice, system: SystemSelection | null): Decide {
  switch (choice.kind) {
    case 'disk': {
      const included = choice.disks.has(disk.key);
      return () => ({ included, reason: included ? 'the whole disk is backed up' : 'the disk is not ticked' });
    }
    case 'partition':
      return (number) => {
        const included = choice.parts.has(partKey(disk.key, number));
        if (!hasPartitions(disk)) return { included: false, reason: 'it has no partitions: back up the whole disk' };
        return { included, reason: included ? 'ticked' : 'not ticked' };
      };
    case 'system':
      return systemDecider(disk, system);
  }
}

function systemDecider(disk: InventoryDisk, system: SystemSelection | null): Decide {
  const left = system?.leftOutDisks.find((candidate) => candidate.key === disk.key)?.why ?? 'not part of the system';
  const found = system?.disks.find((candidate) => candidate.key === disk.key);
  // A disk without a table has no partitions to choose from: it is taken whole.
  if (found?.partitions.length === 0) return () => ({ included: true, reason: 'the system needs the whole disk' });
  const known = new Map(found?.partitions.map(({ number, included, why }) => [number, { included, reason: why }]));
  return (number) => known.get(number) ?? { included: false, reason: left };
}

function takingOfDisk(disk: InventoryDisk, decide: Decide, options: TakingOptions): DiskTaking {
  const parts = partsOf(disk);
  const takes = new Map<string, Take>();
  const leftOut: { part: InventoryPartition; reason: string }[] = [];
  let [readBytes, included] = [0, 0];
  for (const part of parts) {
    const decided = decide(part.number);
    takes.set(`p${part.number}`, takeOf(part, decided, options));
    if (decided.included) {
      included += 1;
      readBytes += takes.get(`p${part.number}`)?.readBytes ?? 0;
    } else leftOut.push({ part, reason: decided.reason });
  }
  if (parts.length === 0) return { ...blankDisk(disk, decide(0), options), takes };
  const taken = included === parts.length ? 'all' : included > 0 ? 'some' : 'none';
  return { disk, takes, taken, leftOut, readBytes };
}

/** A disk without a partition we know of: nothing to read when it is empty, all of it when we could not look. */
function blankDisk(disk: InventoryDisk, { included }: { included: boolean }, options: TakingOptions): Omit<DiskTaking, 'takes'> {
  const readBytes = options.sectorBySector || isUnread(disk) ? disk.sizeBytes : 0;
  return { disk, taken: included ? 'all' : 'none', leftOut: [], readBytes };
}

function takeOf(part: InventoryPartition, { included, reason }: ReturnType<Decide>, options: TakingOptions): Take {
  if (!included) return { included, text: 'Left out', reason, readBytes: 0 };
  const { filesystem, sizeBytes } = part;
  if (options.sectorBySector) return { included, text: 'Included', reason: `${reason}, every sector`, readBytes: sizeBytes };
  if (filesystem?.kind === 'swap' && options.leaveOutSwap) {
    return { included, text: 'Emptied', reason: 'its place is kept, swapped memory is not', readBytes: 0 };
  }
  const locked = isLocked(filesystem?.kind ?? null);
  return {
    included,
    text: 'Included',
    reason: locked ? `${reason}; encrypted, so taken whole` : reason,
    readBytes: filesystem ? Math.min(filesystem.usedBytes, sizeBytes) : sizeBytes,
  };
}

/** What the server is asked for: the ticked partitions by disk, or the disks whole; of a system it knows itself. */
export function chosenDisks(choice: Choice, disks: readonly InventoryDisk[]): ChosenDisk[] {
  if (choice.kind === 'system') return [];
  if (choice.kind === 'disk') return disks.filter(({ key }) => choice.disks.has(key)).map(({ key }) => ({ key }));
  return disks.flatMap((disk) => {
    const numbers = partsOf(disk)
      .map(({ number }) => number)
      .filter((number) => choice.parts.has(partKey(disk.key, number)));
    return hasPartitions(disk) && numbers.length > 0 ? [{ key: disk.key, partitions: numbers }] : [];
  });
}
