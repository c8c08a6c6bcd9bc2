/**
 * What a backup would take and leave out, from what is known of the disks: for showing before it starts, and for starting it. Pure, so
 * that console, server and agent say the same.
 */
import { sizeText } from '../sizeText.ts';
import { type DiskOfPc, type SystemPart, selectSystem } from './selectSystem.ts';

export interface NamedDisk extends DiskOfPc {
  readonly name: string;
  /** `file` and `loop`: offered as a disk beside those of the PC. */
  readonly bus?: string | undefined;
  /** Empty: it cannot be read. */
  readonly fingerprint?: string | undefined;
}

export interface BackupChoice {
  readonly kind: 'system' | 'disk' | 'partition';
  /** For kind `system`: where to look for it; none: the PC's own disks. For kind `partition` each names its partitions. */
  readonly disks: readonly { readonly key: string; readonly partitions?: readonly number[] | undefined }[];
  readonly firmware?: 'uefi' | 'bios' | null | undefined;
}

export interface ChosenPartition {
  readonly number: number;
  readonly included: boolean;
  /** One clause for people. */
  readonly why: string;
  readonly label: string;
  readonly filesystem: string | null;
  readonly sizeBytes: number;
  readonly usedBytes: number;
}

export interface BackupSelection {
  /** The disks that are read. */
  readonly disks: readonly { readonly key: string; readonly name: string; readonly partitions: readonly ChosenPartition[] }[];
  /** Kind `system`: the others. */
  readonly leftOutDisks: readonly {
    readonly key: string;
    readonly name: string;
    readonly sizeBytes: number;
    readonly why: string;
  }[];
  /** Bytes in use of what is taken, and of what is not, as far as known. */
  readonly includedBytes: number;
  readonly leftOutBytes: number;
  /** What a person should read before agreeing. */
  readonly warnings: readonly string[];
  readonly problem: {
    readonly code: 'SYSTEM_NOT_FOUND' | 'DISK_ACCESS_DENIED' | 'DISK_NOT_FOUND' | 'PARTITION_NOT_FOUND' | 'INVALID_INPUT';
    readonly text: string;
  } | null;
}

const CONTAINER = 'holds the logical partitions: a part of the table';

/** Numbers of partitions for `DiskToBackUp.partitions`; undefined: the whole disk. */
export function partitionsToTake(
  { partitions }: BackupSelection['disks'][number],
  kind: BackupChoice['kind'],
): readonly number[] | undefined {
  if (kind === 'disk' || partitions.length === 0) return undefined;
  return partitions.filter(({ included, why }) => included && why !== CONTAINER).map(({ number }) => number);
}

export function selectBackup(disks: readonly NamedDisk[], choice: BackupChoice): BackupSelection {
  return choice.kind === 'system' ? systemOf(disks, choice) : chosenOf(disks, choice);
}

function systemOf(all: readonly NamedDisk[], { disks: named, firmware }: BackupChoice): BackupSelection {
  const missing = named.find(({ key }) => !all.some((disk) => disk.key === key));
  if (missing) return emptySelection({ code: 'DISK_NOT_FOUND', text: `the disk ${missing.key} is not plugged in` });
  const wanted = named.length === 0 ? all.filter(isOfPc) : all.filter(({ key }) => named.some((one) => one.key === key));
  const disks = wanted.filter(({ fingerprint }) => fingerprint !== '');
  const { found, parts } = selectSystem(disks, { firmware });
  const ofDisk = (disk: NamedDisk) => parts.filter((part) => part.disk === disk.key);
  const read = disks.filter((disk) => ofDisk(disk).some(({ included }) => included));
  const others = disks.filter((disk) => !read.includes(disk));
  const unread = wanted.filter((disk) => !disks.includes(disk));
  if (!found) return emptySelection(whyNoSystem(unread));
  const leftOutDisks = others.map((disk) => {
    const { key, name, sizeBytes } = disk;
    return {
      key,
      name,
      sizeBytes,
      why: ofDisk(disk)[0]?.partition === 0 ? whyOf(ofDisk(disk), 0) : 'nothing the system needs lies on it',
    };
  });
  const warnings = [
    ...unread.map(({ name }) => `The disk ${name} cannot be read, so nobody knows whether the system needs it; it is left out.`),
    ...read.flatMap((disk) => warningsOfDisk(disk, ofDisk(disk))),
    ...leftOutDisks.map(({ name, sizeBytes, why }) => `The disk ${name} (${sizeText(sizeBytes)}) is left out: ${why}.`),
  ];
  const described = read.map((disk) => {
    const verdicts = ofDisk(disk);
    const isTaken = (number: number) => verdicts.some(({ partition, included }) => partition === number && included);
    return describe(disk, (number) => ({ included: isTaken(number), why: whyOf(verdicts, number) }));
  });
  return { ...summed(read, described), leftOutDisks, warnings, problem: null };
}

function whyNoSystem(unread: readonly NamedDisk[]): BackupSelection['problem'] {
  const [first] = unread;
  if (first === undefined) {
    const text = 'no operating system was found on these disks; back up whole disks instead';
    return { code: 'SYSTEM_NOT_FOUND', text };
  }
  const names = unread.map(({ name }) => name).join(', ');
  return {
    code: 'DISK_ACCESS_DENIED',
    text: `no operating system was found on the disks that can be read; these cannot: ${names}`,
  };
}

/** Files and loop devices belong to the system only when it lives on them. */
function isOfPc({ bus, inUse, partitions }: NamedDisk): boolean {
  return (bus !== 'file' && bus !== 'loop') || inUse === true || partitions.some((partition) => partition.inUse);
}

function whyOf(parts: readonly SystemPart[], number: number): string {
  return parts.find(({ partition }) => partition === number)?.why ?? '';
}

function warningsOfDisk(disk: NamedDisk, parts: readonly SystemPart[]): string[] {
  return parts.flatMap(({ partition, included, why, doubtful }) => {
    const found = disk.partitions.find(({ number }) => number === partition);
    if (found === undefined || (included && !doubtful)) return [];
    const about = [labelOf(found), found.filesystem?.kind, sizeText(found.sizeBytes)].filter(Boolean).join(', ');
    const verb = included ? 'is taken to be safe' : 'is left out';
    return [`Partition ${partition} of ${disk.name} (${about}) ${verb}: ${why}.`];
  });
}

function chosenOf(disks: readonly NamedDisk[], choice: BackupChoice): BackupSelection {
  const read: NamedDisk[] = [];
  const described: BackupSelection['disks'][number][] = [];
  for (const { key, partitions } of choice.disks) {
    const disk = disks.find((one) => one.key === key);
    if (disk === undefined) return emptySelection({ code: 'DISK_NOT_FOUND', text: `the disk ${key} is not plugged in` });
    const problem = whyNotChosen(disk, choice.kind, partitions ?? []);
    if (problem !== null) return emptySelection(problem);
    const whole = choice.kind === 'disk';
    const taken = (number: number) => whole || partitions?.includes(number) === true;
    const why = (number: number) => (whole ? 'the whole disk is taken' : taken(number) ? 'chosen' : 'not chosen');
    read.push(disk);
    described.push(describe(disk, (number) => ({ included: taken(number), why: why(number) })));
  }
  if (read.length === 0) return emptySelection({ code: 'INVALID_INPUT', text: 'no disk was chosen' });
  return { ...summed(read, described), leftOutDisks: [], warnings: [], problem: null };
}

function whyNotChosen(disk: NamedDisk, kind: BackupChoice['kind'], numbers: readonly number[]): BackupSelection['problem'] {
  if (kind === 'disk') {
    if (numbers.length === 0) return null;
    return {
      code: 'INVALID_INPUT',
      text: 'a backup of whole disks takes all partitions: choose the kind "partition" for some of them',
    };
  }
  if (numbers.length === 0) return { code: 'INVALID_INPUT', text: `no partition of ${disk.name} was chosen` };
  for (const number of numbers) {
    const partition = disk.partitions.find((one) => one.number === number);
    if (partition === undefined) {
      const known = disk.partitions.map((one) => one.number).join(', ') || 'none';
      return { code: 'PARTITION_NOT_FOUND', text: `${disk.name} has no partition ${number}; it has ${known}` };
    }
    if (isContainer(partition.type)) {
      const text = `partition ${number} of ${disk.name} only holds the logical partitions; choose those`;
      return { code: 'PARTITION_NOT_FOUND', text };
    }
  }
  return null;
}

/** The extended partition of an MBR. */
export function isContainer(type: string): boolean {
  return type === '0x05' || type === '0x0f' || type === '0x85';
}

function describe(
  { key, name, partitions }: NamedDisk,
  verdictOf: (number: number) => { included: boolean; why: string },
): BackupSelection['disks'][number] {
  return {
    key,
    name,
    partitions: partitions.map((partition) => {
      const verdict = isContainer(partition.type) ? { included: true, why: CONTAINER } : verdictOf(partition.number);
      const { number, sizeBytes, filesystem } = partition;
      const usedBytes = isContainer(partition.type) ? 0 : (filesystem?.usedBytes ?? sizeBytes);
      return { number, ...verdict, label: labelOf(partition), filesystem: filesystem?.kind ?? null, sizeBytes, usedBytes };
    }),
  };
}

function labelOf({ filesystem, name, typeName }: NamedDisk['partitions'][number]): string {
  return filesystem?.label || name || typeName;
}

function summed(read: readonly NamedDisk[], disks: BackupSelection['disks']) {
  let [includedBytes, leftOutBytes] = [0, 0];
  for (const { table, filesystem, sizeBytes } of read) if (table === null) includedBytes += filesystem?.usedBytes ?? sizeBytes;
  for (const { included, usedBytes } of disks.flatMap(({ partitions }) => partitions)) {
    if (included) includedBytes += usedBytes;
    else leftOutBytes += usedBytes;
  }
  return { disks, includedBytes, leftOutBytes };
}

function emptySelection(problem: BackupSelection['problem']): BackupSelection {
  return { disks: [], leftOutDisks: [], includedBytes: 0, leftOutBytes: 0, warnings: [], problem };
}
