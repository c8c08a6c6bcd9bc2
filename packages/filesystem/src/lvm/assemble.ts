/**
 * Puts the volume groups of one disk together from its physical volumes, with no help of a kernel.
 *
 * What a backup may leave out hangs on this, so every doubt has the whole physical volume taken: copies of the metadata that
 * differ, one that does not check, a change that was being made, an id that is there twice. Its volumes are shown all the same.
 */
import { type BlockDevice, DiskError, type Extent, intersectExtents, mergeExtents, sliceDevice } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { type PvHeader, readLabel } from './label.ts';
import { coverOf, logicalDevice, type Piece, piecesOf } from './logicalVolume.ts';
import { readMetadataArea } from './metadataArea.ts';
import { type GroupMember, type GroupVolume, parseVolumeGroup, type VolumeGroup } from './volumeGroup.ts';

/** A map of more pieces than this costs more memory than it saves copying. */
const MAX_PIECES = 2 ** 21;

/** A cache on a thin pool on RAID, and some. */
const MOST_LAYERS = 5;

export interface LogicalVolume {
  /** As LVM prints it: `group/volume`. Both parts are fit to be names of folders. */
  readonly name: string;
  readonly sizeBytes: number;
  /** `linear`, `striped`, or what keeps us from reading it: `raid1`, `thin`, `cache`, `snapshot`… */
  readonly type: string;
  /** Null where we do not read its type, or part of it lies on a disk that is not here. */
  readonly device: BlockDevice | null;
  /** Nobody but its own filesystem has a use for its bytes, so what that has free may be left out. */
  readonly exclusive: boolean;
  /** Where a range of it lies. Only where there is a `device`; the range lies inside. */
  locate(range: Extent): Iterable<{ readonly on: PhysicalVolume; readonly volumeOffsetBytes: number; readonly at: Extent }>;
}

export interface PhysicalVolume {
  readonly uuid: string;
  /** Null when no group has it. */
  readonly groupName: string | null;
  /** Why all of it counts as used, a sentence each. */
  readonly doubts: readonly string[];
  /** Those of its group that are for people and begin here. */
  readonly volumes: readonly LogicalVolume[];
  /**
   * What of it is worth keeping: its metadata, and what belongs to a logical volume.
   * @param inner what is used inside of logical volumes; those that are not in it are kept whole
   */
  usedExtents(inner: ReadonlyMap<LogicalVolume, readonly Extent[]>): Extent[];
  /** How much of it belongs to the logical volume. */
  bytesOf(volume: LogicalVolume): number;
}

/**
 * @param devices all volumes of one disk that may be physical volumes
 * @returns one for each device, null for those that have no label
 *   What the bytes say, or that they cannot be read, ends in `doubts`.
 */
export async function openPhysicalVolumes(devices: readonly BlockDevice[]): Promise<(PhysicalVolume | null)[]> {
  const members: (Member | null)[] = [];
  for (const device of devices) members.push(await readMember(device));
  const present = members.filter((member) => member !== null);
  doubtTwins(present);
  for (const copies of copiesByGroup(present).values()) assembleGroup(copies, present);
  for (const member of present) {
    if (member.group === null && !member.orphan) member.doubts.push('what belongs to its volume group is not said on this disk');
  }
  return members;
}

interface Copy {
  readonly text: string;
  readonly group: VolumeGroup;
}

/** A physical volume on its device. `joins` tells it what its group says. */
class Member implements PhysicalVolume {
  readonly device: BlockDevice;
  readonly header: PvHeader;
  readonly copies: readonly Copy[];
  /** It has a place for metadata, in use, and none is there. */
  readonly orphan: boolean;
  readonly doubts: string[];
  volumes: LogicalVolume[] = [];
  group: VolumeGroup | null = null;
  #place: GroupMember | null = null;
  #pieces: ReadonlyMap<LogicalVolume, GroupVolume> = new Map();
  readonly #bytes = new Map<string, number>();

  constructor(device: BlockDevice, header: PvHeader, read: { copies: Copy[]; orphan: boolean; doubts: string[] }) {
    this.device = device;
    this.header = header;
    this.copies = read.copies;
    this.orphan = read.orphan;
    this.doubts = read.doubts;
    if (header.deviceBytes > device.sizeBytes) {
      this.doubts.push(`it claims ${header.deviceBytes} bytes, more than the ${device.sizeBytes} there are`);
    }
  }

  get uuid(): string {
    return this.header.uuid;
  }

  get groupName(): string | null {
    return this.group?.name ?? null;
  }

  /** Its extents, or null where they reach past the end. */
  data(place: GroupMember, extentBytes: number): BlockDevice | null {
    const lengthBytes = place.extentCount * extentBytes;
    return place.startBytes + lengthBytes <= this.device.sizeBytes
      ? sliceDevice(this.device, place.startBytes, lengthBytes)
      : null;
  }

  joins(group: VolumeGroup, place: GroupMember, volumes: ReadonlyMap<LogicalVolume, GroupVolume>): void {
    this.group = group;
    this.#place = place;
    this.#pieces = volumes;
    for (const { member, volume, extentCount } of group.allocations) {
      if (member !== place.name) continue;
      this.#bytes.set(volume, (this.#bytes.get(volume) ?? 0) + extentCount * group.extentBytes);
    }
    const { dataAreas, metadataAreas, bootAreas } = this.header;
    const data = { offsetBytes: place.startBytes, lengthBytes: place.extentCount * group.extentBytes };
    if (place.missing) this.doubts.push('its volume group did without it for a while, and it may be out of date');
    if (group.opaque.has(place.name)) this.doubts.push('something stands on it that we do not understand');
    if (data.offsetBytes + data.lengthBytes > this.device.sizeBytes) this.doubts.push('its extents reach past its end');
    if (dataAreas[0]?.offsetBytes !== place.startBytes)
      this.doubts.push('its label and its volume group disagree where data begins');
    if (intersectExtents([data], [...metadataAreas, ...bootAreas]).length > 0) this.doubts.push('its extents cover its metadata');
  }

  usedExtents(inner: ReadonlyMap<LogicalVolume, readonly Extent[]>): Extent[] {
    const [group, place, sizeBytes] = [this.group, this.#place, this.device.sizeBytes];
    if (group === null || place === null || this.doubts.length > 0) return [{ offsetBytes: 0, lengthBytes: sizeBytes }];
    const { extentBytes } = group;
    const dataEnd = place.startBytes + place.extentCount * extentBytes;
    const used = [
      { offsetBytes: 0, lengthBytes: place.startBytes },
      { offsetBytes: dataEnd, lengthBytes: sizeBytes - dataEnd },
    ];
    const thinned = new Set<string>();
    for (const [volume, { name, segments }] of this.#pieces) {
      const ranges = inner.get(volume);
      if (ranges === undefined || segments === null || !volume.exclusive) continue;
      const pieces = this.#cover(coverOf(segments, extentBytes, ranges), place);
      if (pieces === null) continue;
      for (const piece of pieces) used.push(piece);
      thinned.add(name);
    }
    for (const { member, volume, startExtent, extentCount } of group.allocations) {
      if (member !== place.name || thinned.has(volume)) continue;
      used.push({ offsetBytes: place.startBytes + startExtent * extentBytes, lengthBytes: extentCount * extentBytes });
    }
    return mergeExtents(used);
  }

  bytesOf(volume: LogicalVolume): number {
    return this.#bytes.get(this.#pieces.get(volume)?.name ?? '') ?? 0;
  }

  /** Null where there are too many to be worth it. */
  #cover(pieces: Iterable<Piece>, { name, startBytes }: GroupMember): Extent[] | null {
    const found: Extent[] = [];
    for (const { member, dataOffsetBytes, lengthBytes } of pieces) {
      if (member === name) found.push({ offsetBytes: startBytes + dataOffsetBytes, lengthBytes });
      if (found.length > MAX_PIECES) return null;
    }
    return found;
  }
}

async function readMember(device: BlockDevice): Promise<Member | null> {
  const [copies, doubts]: [Copy[], string[]] = [[], []];
  let orphan = false;
  const header = await readLabel(device).catch((error: unknown) => {
    reasonOf(error);
    return null;
  });
  if (header === null) return null;
  for (const area of header.metadataAreas) {
    try {
      const { text, inUse, prepared } = await readMetadataArea(device, area);
      if (prepared) doubts.push('a change of its volume group was being made');
      if (text === null) orphan ||= inUse;
      else if (!copies.some((copy) => copy.text === text)) copies.push({ text, group: parseVolumeGroup(text) });
    } catch (error) {
      doubts.push(reasonOf(error));
    }
  }
  return new Member(device, header, { copies, orphan: orphan && copies.length === 0 && doubts.length === 0, doubts });
}

/** The message of an error that says something about the bytes, or that they cannot be read. */
function reasonOf(error: unknown): string {
  if (error instanceof FilesystemError || error instanceof DiskError) return error.message;
  throw error;
}

function doubtTwins(members: readonly Member[]): void {
  const seen = new Map<string, Member>();
  for (const member of members) {
    const twin = seen.get(member.uuid);
    if (twin !== undefined) {
      const sentence = `the same id (${member.uuid}) is on this disk twice`;
      for (const one of [member, twin]) if (!one.doubts.includes(sentence)) one.doubts.push(sentence);
    }
    seen.set(member.uuid, member);
  }
}

/** Newest first; copies that are the same are one. */
function copiesByGroup(members: readonly Member[]): Map<string, Copy[]> {
  const groups = new Map<string, Copy[]>();
  for (const copy of members.flatMap(({ copies }) => copies)) {
    const known = groups.get(copy.group.uuid) ?? [];
    if (!known.some(({ text }) => text === copy.text)) known.push(copy);
    groups.set(copy.group.uuid, known);
  }
  for (const copies of groups.values()) copies.sort((left, right) => right.group.seqno - left.group.seqno);
  return groups;
}

function assembleGroup([newest, ...older]: readonly Copy[], present: readonly Member[]): void {
  if (newest === undefined) return;
  const { group } = newest;
  const here = new Map<string, Member>();
  for (const place of group.members) {
    const found = present.filter(({ uuid }) => uuid === place.uuid);
    const [member] = found;
    if (member === undefined || found.length > 1) continue;
    if (member.group === null) here.set(place.name, member);
    else member.doubts.push(`both ${member.group.name} and ${group.name} claim it`);
  }
  const volumes = openVolumes(group, here);
  for (const place of group.members) {
    const member = here.get(place.name);
    member?.joins(group, place, volumes);
    if (older.length > 0) member?.doubts.push(`the copies of what belongs to ${group.name} differ`);
  }
  show(group, here, volumes);
}

function openVolumes(group: VolumeGroup, here: ReadonlyMap<string, Member>): Map<LogicalVolume, GroupVolume> {
  const { extentBytes } = group;
  const places = new Map(group.members.map((place) => [place.name, place]));
  const data = new Map<string, BlockDevice>();
  for (const [name, member] of here) {
    const place = places.get(name);
    const device = place && member.data(place, extentBytes);
    if (device) data.set(name, device);
  }
  const opened = new Map<LogicalVolume, GroupVolume>();
  for (const volume of group.volumes) {
    const { name, type, segments, shared, extentCount } = volume;
    const whole = segments?.every(({ stripes }) => stripes.every(({ member }) => data.has(member))) ?? false;
    const logical: LogicalVolume = {
      name: `${group.name}/${name}`,
      sizeBytes: extentCount * extentBytes,
      type,
      device: segments !== null && whole ? logicalDevice(segments, extentBytes, data) : null,
      exclusive: whole && !shared,
      *locate(range) {
        for (const { member, volumeOffsetBytes, dataOffsetBytes, lengthBytes } of piecesOf(segments ?? [], extentBytes, range)) {
          const on = here.get(member);
          const startBytes = places.get(member)?.startBytes ?? 0;
          if (on) yield { on, volumeOffsetBytes, at: { offsetBytes: startBytes + dataOffsetBytes, lengthBytes } };
        }
      },
    };
    opened.set(logical, volume);
  }
  return opened;
}

/** Each volume that is for people where its first extent on this disk lies; those that have none here on the first member. */
function show(group: VolumeGroup, here: ReadonlyMap<string, Member>, volumes: ReadonlyMap<LogicalVolume, GroupVolume>): void {
  const [fallback] = here.values();
  const homes = new Map<string, Member>();
  for (const { volume, member } of group.allocations) {
    const home = here.get(member);
    if (home && !homes.has(volume)) homes.set(volume, home);
  }
  for (const { name, segments } of group.volumes) {
    const first = here.get(segments?.[0]?.stripes[0]?.member ?? '');
    if (first) homes.set(name, first);
  }
  // What stands on other volumes (a thin volume on a pool on its data) is where those are.
  for (let depth = 0; depth < MOST_LAYERS; depth += 1) {
    for (const { name, parts } of group.volumes) {
      const home = homes.get(parts.find((part) => homes.has(part)) ?? '');
      if (home && !homes.has(name)) homes.set(name, home);
    }
  }
  for (const [logical, { name, visible }] of volumes) if (visible) (homes.get(name) ?? fallback)?.volumes.push(logical);
}
