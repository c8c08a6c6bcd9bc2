/**
 * What the metadata of a volume group says (lvm2 lib/format_text/import_vsn1.c): its physical volumes, its logical volumes, and
 * which extents of the former belong to which of the latter.
 *
 * Only pieces of type `striped` (also `linear`) that lie on physical volumes are read. Everything else (RAID, mirrors, thin and VDO
 * pools, caches, snapshots, integrity) stands on such volumes in the end, which are hidden or named by it: what a volume is
 * named by decides whether its bytes are what a reader would see, and whether its free blocks are really nobody's.
 */
import { FilesystemError } from '../errors.ts';
import { type ConfigSection, parseConfig } from './configText.ts';

/** LVM counts in these, whatever the disk does. */
export const LVM_SECTOR_BYTES = 512;
const MOST = 2 ** 40;
const MAX_STRIPES = 128;
const NAME = /^(?!-)(?!\.{1,2}$)[A-Za-z0-9_.+-]{1,127}$/;
/** What a volume may be and still show its bytes as they stand. `VISIBLE` is asked for. */
const PLAIN_STATUS: ReadonlySet<unknown> = new Set(['READ', 'WRITE', 'VISIBLE', 'FIXED_MINOR']);

export interface GroupMember {
  readonly name: string;
  readonly uuid: string;
  readonly startBytes: number;
  readonly extentCount: number;
  /** The group did without it for a while: what stands on it may be old. */
  readonly missing: boolean;
}

/** One run of a logical volume: `stripes.length` equal parts, dealt out `stripeBytes` at a time. */
export interface Segment {
  readonly startExtent: number;
  readonly extentCount: number;
  readonly stripeBytes: number;
  readonly stripes: readonly { readonly member: string; readonly startExtent: number }[];
}

export interface GroupVolume {
  readonly name: string;
  readonly extentCount: number;
  /** `linear`, `striped`, or the type of its first other piece: `raid1`, `thin`, `cache`… */
  readonly type: string;
  readonly visible: boolean;
  /** Null when its bytes are not simply those of its extents. */
  readonly segments: readonly Segment[] | null;
  /** A snapshot or thin volume reads the extents of this one too, also where its own filesystem has nothing any more. */
  readonly shared: boolean;
  /** The volumes its pieces name: what it stands on. */
  readonly parts: readonly string[];
}

interface Allocation {
  readonly member: string;
  readonly startExtent: number;
  readonly extentCount: number;
  readonly volume: string;
}

export interface VolumeGroup {
  readonly name: string;
  readonly uuid: string;
  /** Counts its changes. */
  readonly seqno: number;
  readonly extentBytes: number;
  readonly members: readonly GroupMember[];
  readonly volumes: readonly GroupVolume[];
  /** Everything in use on the members, disjoint, by member and place. */
  readonly allocations: readonly Allocation[];
  /** Members on which something stands that we do not understand. */
  readonly opaque: ReadonlySet<string>;
}

/** @throws FilesystemError `FS_DAMAGED`, `FS_UNSUPPORTED`, `FS_TOO_LARGE` */
export function parseVolumeGroup(text: string): VolumeGroup {
  const root = parseConfig(text);
  if (root.text('contents') !== 'Text Format Volume Group' || root.count('version', MOST) !== 1) {
    throw new FilesystemError('FS_UNSUPPORTED', 'LVM metadata of a version we do not know');
  }
  const [group, ...others] = root.sections.values();
  if (group === undefined || others.length > 0 || !NAME.test(group.name))
    throw damaged('not one volume group but several or none');
  if (group.text('format') !== 'lvm2') throw new FilesystemError('FS_UNSUPPORTED', 'a volume group of LVM1');
  const extentBytes = group.count('extent_size', 2 ** 32) * LVM_SECTOR_BYTES;
  if (extentBytes === 0) throw damaged('extents of no size');
  const members = [...group.section('physical_volumes').sections.values()].map((section) => memberOf(section, extentBytes));
  if (new Set(members.map(({ uuid }) => uuid)).size < members.length) throw damaged('two physical volumes with one id');
  const sections = [...(group.sections.get('logical_volumes')?.sections.values() ?? [])];
  const known = { name: group.name, uuid: group.text('id'), seqno: group.count('seqno', MOST), extentBytes, members };
  return { ...known, ...volumesOf(sections, members, extentBytes) };
}

function memberOf(section: ConfigSection, extentBytes: number): GroupMember {
  const extentCount = section.count('pe_count', MOST);
  const startBytes = section.count('pe_start', MOST) * LVM_SECTOR_BYTES;
  if (!Number.isSafeInteger(startBytes + extentCount * extentBytes)) throw damaged(`${section.name} is absurdly large`);
  const missing = [...section.list('status'), ...section.list('flags')].includes('MISSING');
  return { name: section.name, uuid: section.text('id'), startBytes, extentCount, missing };
}

function volumesOf(sections: readonly ConfigSection[], members: readonly GroupMember[], extentBytes: number) {
  const names = new Set(members.map(({ name }) => name));
  const opaque = new Set<string>();
  const allocations: Allocation[] = [];
  const raws: RawVolume[] = [];
  for (const section of sections) raws.push(rawVolumeOf(section, { names, extentBytes, allocations, opaque }));
  const uses = usesOf(sections, raws);
  checkAllocations(allocations, members);
  const parts = new Map<string, string[]>();
  for (const [name, list] of uses)
    for (const { by } of list) {
      const known = parts.get(by);
      if (known === undefined) parts.set(by, [name]);
      else known.push(name);
    }
  const volumes = raws.map((raw) => ({ ...judged(raw, uses.get(raw.name) ?? []), parts: parts.get(raw.name) ?? [] }));
  return { volumes, allocations, opaque };
}

interface RawVolume {
  readonly name: string;
  readonly extentCount: number;
  readonly type: string;
  readonly plain: boolean;
  readonly visible: boolean;
  readonly segments: readonly Segment[] | null;
}

interface Gathering {
  /** Of the members. */
  readonly names: ReadonlySet<string>;
  readonly extentBytes: number;
  readonly allocations: Allocation[];
  readonly opaque: Set<string>;
}

function rawVolumeOf(section: ConfigSection, gathering: Gathering): RawVolume {
  if (!NAME.test(section.name)) throw damaged('a volume has a name that is none');
  const pieces = piecesOf(section);
  if (pieces.length === 0 || pieces.length !== section.count('segment_count', MOST))
    throw damaged(`${section.name} lacks pieces`);
  pieces.sort((left, right) => left.count('start_extent', MOST) - right.count('start_extent', MOST));
  let extentCount = 0;
  const segments: (Segment | null)[] = [];
  for (const piece of pieces) {
    if (piece.count('start_extent', MOST) !== extentCount) throw damaged(`${section.name} has a gap or an overlap`);
    if (piece.count('extent_count', MOST) === 0) throw damaged(`${section.name} has an empty piece`);
    segments.push(segmentOf(piece, section.name, gathering));
    extentCount += piece.count('extent_count', MOST);
  }
  if (!Number.isSafeInteger(extentCount * gathering.extentBytes)) throw damaged(`${section.name} is absurdly large`);
  const types = pieces.map((piece) => piece.text('type'));
  const other = types.find((type) => !isStriped(type));
  const striped = segments.some((segment) => (segment?.stripes.length ?? 0) > 1);
  const status = section.list('status');
  const readable = segments.filter((segment) => segment !== null);
  return {
    name: section.name,
    extentCount,
    type: other ?? (striped ? 'striped' : 'linear'),
    plain: status.every((word) => PLAIN_STATUS.has(word)),
    visible: status.includes('VISIBLE'),
    segments: readable.length === segments.length ? readable : null,
  };
}

function piecesOf(section: ConfigSection): ConfigSection[] {
  return [...section.sections.values()].filter(({ name }) => /^segment[0-9]+$/.test(name));
}

function isStriped(type: string): boolean {
  return type === 'striped' || type === 'linear';
}

/** Notes the extents the piece has on members. Null when its bytes are not simply theirs. */
function segmentOf(piece: ConfigSection, volume: string, gathering: Gathering): Segment | null {
  const type = piece.text('type');
  const extentCount = piece.count('extent_count', MOST);
  if (!isStriped(type) && type !== 'mirror') {
    // It stands on other volumes; where it names a member itself, we do not know what it has there.
    for (const { text } of piece.texts()) if (gathering.names.has(text)) gathering.opaque.add(text);
    return null;
  }
  const areas = areasOf(piece, type === 'mirror' ? 'mirrors' : 'stripes');
  const each = type === 'mirror' ? extentCount : extentCount / areas.length;
  if (!Number.isInteger(each)) throw damaged(`${volume} has stripes of different lengths`);
  for (const { member, startExtent } of areas) {
    if (gathering.names.has(member)) gathering.allocations.push({ member, startExtent, extentCount: each, volume });
  }
  if (type === 'mirror' || areas.some(({ member }) => !gathering.names.has(member))) return null;
  const stripeBytes = areas.length === 1 ? gathering.extentBytes : piece.count('stripe_size', MOST) * LVM_SECTOR_BYTES;
  if (stripeBytes === 0 || (each * gathering.extentBytes) % stripeBytes !== 0)
    throw damaged(`${volume} has stripes that do not fit`);
  return { startExtent: piece.count('start_extent', MOST), extentCount, stripeBytes, stripes: areas };
}

function areasOf(piece: ConfigSection, key: string): { member: string; startExtent: number }[] {
  const list = piece.list(key);
  const areas: { member: string; startExtent: number }[] = [];
  for (let at = 0; at < list.length; at += 2) {
    const [member, startExtent] = [list[at], list[at + 1]];
    const sound = typeof member === 'string' && typeof startExtent === 'number' && Number.isSafeInteger(startExtent);
    if (!sound || startExtent < 0 || startExtent > MOST) throw damaged('a piece lies nowhere');
    areas.push({ member, startExtent });
  }
  if (areas.length === 0 || areas.length > MAX_STRIPES) throw damaged('a piece has no parts, or too many');
  return areas;
}

interface Use {
  readonly by: string;
  readonly type: string;
  readonly key: string;
  /** A snapshot that flows back into its origin. */
  readonly merging: boolean;
}

/** Which volumes are named in the pieces of which other. */
function usesOf(sections: readonly ConfigSection[], volumes: readonly RawVolume[]): Map<string, Use[]> {
  const known = new Set(volumes.map(({ name }) => name));
  const uses = new Map<string, Use[]>();
  for (const section of sections) {
    for (const piece of piecesOf(section)) {
      const [type, merging] = [piece.text('type'), piece.values.has('merging_store') || piece.values.has('merge')];
      for (const { key, text } of piece.texts()) {
        if (!known.has(text) || text === section.name) continue;
        const before = uses.get(text);
        const use = { by: section.name, type, key, merging };
        if (before === undefined) uses.set(text, [use]);
        else before.push(use);
      }
    }
  }
  return uses;
}

/** Of what stands on a volume, only these read it without changing what its own bytes say. */
function isReader({ type, key, merging }: Use): boolean {
  return !merging && ((type === 'snapshot' && key === 'origin') || (type === 'thin' && key === 'external_origin'));
}

function judged(
  { name, extentCount, type, plain, visible, segments }: RawVolume,
  uses: readonly Use[],
): Omit<GroupVolume, 'parts'> {
  const owner = uses.find((use) => !isReader(use));
  const readable = visible && plain && owner === undefined;
  return {
    name,
    extentCount,
    type: owner !== undefined && segments !== null ? owner.type : type,
    // The text calls the store of a snapshot hidden; to people it is the snapshot.
    visible: visible || owner?.key === 'cow_store',
    segments: readable ? segments : null,
    shared: uses.length > 0,
  };
}

/** Sorts them, and refuses a text in which two volumes have the same extent or one lies outside of its member. */
function checkAllocations(allocations: Allocation[], members: readonly GroupMember[]): void {
  const counts = new Map(members.map(({ name, extentCount }) => [name, extentCount]));
  allocations.sort((left, right) =>
    left.member === right.member ? left.startExtent - right.startExtent : left.member < right.member ? -1 : 1,
  );
  let last: Allocation | null = null;
  for (const allocation of allocations) {
    const { member, startExtent, extentCount, volume } = allocation;
    if (startExtent + extentCount > (counts.get(member) ?? 0)) throw damaged(`${volume} reaches past the end of ${member}`);
    if (last?.member === member && last.startExtent + last.extentCount > startExtent) {
      throw damaged(`${volume} and ${last.volume} have the same extents`);
    }
    last = allocation;
  }
}

function damaged(message: string): FilesystemError {
  return new FilesystemError('FS_DAMAGED', `LVM metadata: ${message}`);
}
