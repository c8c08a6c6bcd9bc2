/**
 * Writes an MBR and its extended boot records. Logical partitions keep their EBR where it was when that place still serves;
 * otherwise it goes 1 MiB before the partition (as sfdisk does), or as near as there is room.
 */
import { checkLayout, doesNotFit, sectorsOf } from '../table/checkLayout.ts';
import type { MbrTable, Partition } from '../table/partitionTable.ts';
import type { TableWrite } from '../table/tableWrite.ts';
import { encodeMbrSector, type SlotToWrite } from './encodeMbrSector.ts';
import { isExtendedType } from './mbrSector.ts';

const MAX_SECTORS = 2 ** 32;
const EBR_LEAD_BYTES = 1 << 20;
const EXTENDED_TYPE = 0x05;

/** @throws DiskError `TABLE_DOES_NOT_FIT` */
export function encodeMbr(table: MbrTable, diskSizeBytes: number): TableWrite[] {
  const { sectorBytes, partitions } = table;
  const room = { startBytes: sectorBytes, endBytes: Math.floor(diskSizeBytes / sectorBytes) * sectorBytes, sectorBytes };
  const slotted = partitions.filter((partition) => partition.role !== 'logical');
  const containers = slotted.filter((partition) => partition.role === 'extended');
  const logical = partitions.filter((partition) => partition.role === 'logical');
  checkLayout(slotted, room);
  checkLayout(logical, room);
  if (slotted.some(({ number }) => number < 1 || number > 4)) throw doesNotFit('an MBR has four slots, numbered 1 to 4');
  if (!/^[0-9a-f]{8}$/.test(table.diskId)) throw doesNotFit('the disk signature is not 8 hex digits');
  const slots = [1, 2, 3, 4].map((number) => {
    const partition = slotted.find((candidate) => candidate.number === number);
    return partition === undefined ? null : slotFor(partition, sectorBytes, 0);
  });
  const writes: TableWrite[] = [
    {
      offsetBytes: 0,
      bytes: encodeMbrSector(slots, { sectorBytes, bootCodeHex: table.bootCodeHex, signature: table.diskId, chsBeyond: 'mbr' }),
    },
  ];
  let placed = 0;
  for (const container of containers) {
    const held = logical.filter((partition) => isInside(partition, container));
    placed += held.length;
    writes.push(...encodeChain(container, held, sectorBytes));
  }
  if (placed < logical.length) throw doesNotFit('a logical partition lies outside the extended partition');
  return writes;
}

function isInside(partition: Partition, container: Partition): boolean {
  return (
    partition.startBytes >= container.startBytes &&
    partition.startBytes + partition.sizeBytes <= container.startBytes + container.sizeBytes
  );
}

function typeOf(partition: Partition): number {
  const type = /^0x[0-9a-f]{2}$/.test(partition.type) ? Number(partition.type) : 0;
  const isExtended = partition.role === 'extended';
  if (type === 0 || isExtendedType(type) !== isExtended) {
    throw doesNotFit(`partition ${partition.number} has type ${partition.type}, which an MBR cannot hold there`);
  }
  return type;
}

function slotFor(partition: Partition, sectorBytes: number, baseBytes: number): SlotToWrite {
  const what = `partition ${partition.number}`;
  const absoluteSector = sectorsOf(partition.startBytes, sectorBytes, what);
  const startSector = sectorsOf(partition.startBytes - baseBytes, sectorBytes, what);
  const sectorCount = sectorsOf(partition.sizeBytes, sectorBytes, what);
  if (absoluteSector >= MAX_SECTORS || sectorCount >= MAX_SECTORS) {
    throw doesNotFit(`${what} reaches beyond what an MBR can address (${MAX_SECTORS} sectors); the disk needs a GPT`);
  }
  return { active: partition.bootable, type: typeOf(partition), startSector, sectorCount, absoluteSector };
}

interface Link {
  readonly ebrOffsetBytes: number;
  /** Null: an EBR that only links to the next (what is left when the first logical partition was deleted). */
  readonly partition: Partition | null;
}

function encodeChain(container: Partition, logical: readonly Partition[], sectorBytes: number): TableWrite[] {
  const links = placeLinks(container, logical, sectorBytes);
  return links.map((link, index) => {
    const next = links[index + 1];
    const own = link.partition === null ? null : slotFor(link.partition, sectorBytes, link.ebrOffsetBytes);
    const onward = next === undefined ? null : slotForLink(next, container, sectorBytes);
    return { offsetBytes: link.ebrOffsetBytes, bytes: encodeMbrSector([own, onward], { sectorBytes, chsBeyond: 'mbr' }) };
  });
}

/** The next EBR and its partition, as one stretch, counted from the container. */
function slotForLink(link: Link, container: Partition, sectorBytes: number): SlotToWrite {
  const partition = link.partition;
  const endBytes = partition === null ? link.ebrOffsetBytes + sectorBytes : partition.startBytes + partition.sizeBytes;
  return {
    active: false,
    type: EXTENDED_TYPE,
    startSector: (link.ebrOffsetBytes - container.startBytes) / sectorBytes,
    sectorCount: (endBytes - link.ebrOffsetBytes) / sectorBytes,
    absoluteSector: link.ebrOffsetBytes / sectorBytes,
  };
}

/** Gives every logical partition, in chain order, a sector for its EBR that no partition and no other EBR uses. */
function placeLinks(container: Partition, logical: readonly Partition[], sectorBytes: number): Link[] {
  const chain = logical.toSorted((left, right) => left.number - right.number);
  const first = chain[0];
  const taken = new Set<number>();
  const isFree = (offsetBytes: number, ownStartBytes: number) =>
    offsetBytes >= container.startBytes &&
    offsetBytes < ownStartBytes &&
    offsetBytes % sectorBytes === 0 &&
    !taken.has(offsetBytes) &&
    !chain.some(({ startBytes, sizeBytes }) => offsetBytes >= startBytes && offsetBytes < startBytes + sizeBytes);
  // The chain must begin at the container's first sector; when the first partition's EBR lies elsewhere, an empty one links to it.
  const keepsHead = first?.ebrOffsetBytes != null && first.ebrOffsetBytes !== container.startBytes;
  const links: Link[] = first === undefined || keepsHead ? [{ ebrOffsetBytes: container.startBytes, partition: null }] : [];
  if (keepsHead || first === undefined) taken.add(container.startBytes);
  for (const partition of chain) {
    const headPlace = partition === first && !keepsHead ? container.startBytes : null;
    const wanted = headPlace ?? partition.ebrOffsetBytes;
    const ebrOffsetBytes =
      wanted !== null && isFree(wanted, partition.startBytes)
        ? wanted
        : findPlace(partition, { chain, container, sectorBytes, isFree });
    if (headPlace !== null && ebrOffsetBytes !== headPlace) {
      throw doesNotFit('the first sector of the extended partition is taken by a logical partition');
    }
    taken.add(ebrOffsetBytes);
    links.push({ ebrOffsetBytes, partition });
  }
  return links;
}

function findPlace(
  partition: Partition,
  among: {
    chain: readonly Partition[];
    container: Partition;
    sectorBytes: number;
    isFree: (offsetBytes: number, ownStartBytes: number) => boolean;
  },
): number {
  const ends = among.chain
    .map(({ startBytes, sizeBytes }) => startBytes + sizeBytes)
    .filter((end) => end <= partition.startBytes);
  const gapStart = Math.max(among.container.startBytes, ...ends);
  let place = Math.max(gapStart, partition.startBytes - EBR_LEAD_BYTES);
  // At most a handful of EBRs can be in the way.
  while (place < partition.startBytes && !among.isFree(place, partition.startBytes)) place += among.sectorBytes;
  if (place >= partition.startBytes) {
    throw doesNotFit(`there is no free sector before logical partition ${partition.number} for its boot record`);
  }
  return place;
}
