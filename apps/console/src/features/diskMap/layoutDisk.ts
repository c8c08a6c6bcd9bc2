/**
 * Where the segments of a disk lie on its bar. Pure: bytes in, per cents out.
 * `true` scale draws sizes as they are; `readable` gives every segment room to be seen and pressed, and keeps the order.
 */
import { formatBytes } from '../../format/bytes';

export type Scale = 'true' | 'readable';

export interface MapPartition {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  /** As the table has it: a GUID, or `0x83`. */
  readonly type?: string;
  readonly typeName: string;
  readonly name: string;
  readonly mountPoint?: string | null;
  readonly filesystem: {
    readonly kind: string;
    readonly label: string;
    readonly usedBytes: number;
    readonly totalBytes: number;
    /** Of an LVM physical volume: the logical volumes on it, by `group/volume`. */
    readonly volumes?: readonly MapVolume[] | undefined;
  } | null;
}

export interface MapVolume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly type: string;
  readonly filesystem: { readonly kind: string; readonly label: string; readonly usedBytes: number } | null;
}

export interface MapDisk {
  readonly name: string;
  readonly model: string;
  readonly serial: string;
  readonly sizeBytes: number;
  readonly table: 'gpt' | 'mbr' | null;
  readonly partitions: readonly MapPartition[];
  readonly filesystem: MapPartition['filesystem'];
  readonly bus?: string;
  readonly isSystemDisk?: boolean;
  readonly removable?: boolean;
  readonly readOnly?: boolean;
  readonly busyReason?: string | null;
  /** What could not be read and why. */
  readonly warnings?: readonly string[];
}

export interface Segment {
  /** `free` is space no partition has. */
  readonly kind: 'partition' | 'free';
  readonly key: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly partition: MapPartition | null;
  /** Set on the one segment of a disk whose content could not be read: it is not known to be empty. */
  readonly unread?: boolean;
  readonly widthPercent: number;
}

/** Alignment gaps and the backup table at the end are no space anybody could use. */
const smallestGapBytes = 8 * 1024 ** 2;
const leastShare = { partition: 9, free: 4 } as const;

export function layoutDisk(disk: MapDisk, scale: Scale): Segment[] {
  const parts = withGaps(disk);
  const widths = scale === 'true' ? trueWidths(parts) : readableWidths(parts);
  return parts.map((part, index) => ({ ...part, widthPercent: widths[index] ?? 0 }));
}

type Part = Omit<Segment, 'widthPercent'>;

function withGaps(disk: MapDisk): Part[] {
  if (disk.partitions.length === 0) return [wholeDisk(disk)];
  const parts: Part[] = [];
  let at = 0;
  const drawn = disk.partitions.filter((partition) => !isContainer(partition));
  for (const partition of drawn.sort((a, b) => a.startBytes - b.startBytes)) {
    pushGap(parts, at, partition.startBytes);
    const { startBytes, sizeBytes } = partition;
    parts.push({ kind: 'partition', key: `p${partition.number}`, startBytes, sizeBytes, partition });
    at = Math.max(at, startBytes + sizeBytes);
  }
  pushGap(parts, at, disk.sizeBytes);
  return parts;
}

/** The extended partition of an MBR: the logical ones inside it are drawn in its place, and nobody chooses it. */
export function isContainer({ type }: Pick<MapPartition, 'type'>): boolean {
  return type === '0x05' || type === '0x0f' || type === '0x85';
}

function wholeDisk(disk: MapDisk): Part {
  const { sizeBytes, filesystem } = disk;
  if (filesystem === null) return { kind: 'free', key: 'f0', startBytes: 0, sizeBytes, partition: null, unread: isUnread(disk) };
  const partition: MapPartition = { number: 0, startBytes: 0, sizeBytes, typeName: 'whole disk', name: '', filesystem };
  return { kind: 'partition', key: 'p0', startBytes: 0, sizeBytes, partition };
}

/** Nothing was found on it, and the agent says it could not look. */
export function isUnread(disk: MapDisk): boolean {
  return disk.table === null && disk.filesystem === null && disk.partitions.length === 0 && (disk.warnings?.length ?? 0) > 0;
}

/** What stands in a segment: the partition's name, or what kind of nothing it is. */
export function segmentTitle({ partition, unread }: Pick<Segment, 'partition' | 'unread'>): string {
  if (partition) return partitionTitle(partition);
  return unread ? 'Content not read' : 'Unallocated';
}

function pushGap(parts: Part[], startBytes: number, endBytes: number) {
  const sizeBytes = endBytes - startBytes;
  if (sizeBytes >= smallestGapBytes) parts.push({ kind: 'free', key: `f${startBytes}`, startBytes, sizeBytes, partition: null });
}

function trueWidths(parts: readonly Part[]): number[] {
  const total = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  return parts.map((part) => (total > 0 ? (part.sizeBytes / total) * 100 : 100 / parts.length));
}

/** Small ones are lifted to the least width; the others share what is left in proportion, until nobody is too small. */
function readableWidths(parts: readonly Part[]): number[] {
  const wanted = parts.map((part) => leastShare[part.kind]);
  const wantedSum = wanted.reduce((sum, share) => sum + share, 0);
  const least = wanted.map((share) => (wantedSum > 100 ? (share / wantedSum) * 100 : share));
  const lifted = new Set<number>();
  for (;;) {
    const taken = [...lifted].reduce((sum, index) => sum + (least[index] ?? 0), 0);
    const bytesLeft = parts.reduce((sum, part, index) => (lifted.has(index) ? sum : sum + part.sizeBytes), 0);
    const widths = parts.map((part, index) =>
      lifted.has(index)
        ? (least[index] ?? 0)
        : bytesLeft > 0
          ? (part.sizeBytes / bytesLeft) * (100 - taken)
          : (100 - taken) / (parts.length - lifted.size),
    );
    const tooSmall = widths.findIndex((width, index) => !lifted.has(index) && width < (least[index] ?? 0) - 1e-9);
    if (tooSmall < 0) return widths;
    lifted.add(tooSmall);
  }
}

export type Family = 'ntfs' | 'ext' | 'fat' | 'other' | 'raw';

/** Hue and pattern of a filesystem on the map. */
export function familyOf(kind: string | null): Family {
  if (kind === null || kind === '') return 'raw';
  if (kind === 'ntfs' || kind === 'refs') return 'ntfs';
  if (/^ext[234]$/.test(kind)) return 'ext';
  if (/^(v?fat|fat12|fat16|fat32|exfat|msdos)$/.test(kind)) return 'fat';
  return 'other';
}

/** Encrypted containers carry a lock on the map: their content cannot be read without its owner. */
export function isLocked(kind: string | null): boolean {
  return kind !== null && /luks|bitlocker|crypto/i.test(kind);
}

/** One line about a logical volume: its size, what lies on it, how full it is. */
export function volumeFacts({ sizeBytes, type, filesystem }: MapVolume): string {
  const held = filesystem ? [filesystem.kind, filesystem.label].filter(Boolean).join(' ') : `${type}, content not read`;
  const used = filesystem ? `${formatBytes(filesystem.usedBytes)} used` : '';
  return [formatBytes(sizeBytes), held, used].filter(Boolean).join(' · ');
}

/** What people call a partition: where it is mounted, else its label, else its kind. */
export function partitionTitle(partition: MapPartition): string {
  const group = partition.filesystem?.volumes?.[0]?.name.split('/')[0];
  const own = partition.mountPoint || partition.filesystem?.label || partition.name;
  return own || group || partition.typeName || `Partition ${partition.number}`;
}
