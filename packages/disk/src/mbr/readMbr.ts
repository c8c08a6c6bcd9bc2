/** Reads an MBR and the chain of extended boot records behind it, numbered as Linux numbers them. */
import { type BlockDevice, type Extent, readBytes } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';
import { type ClaimedPartition, fitToDisk, warnOfOverlaps } from '../table/checkPartitions.ts';
import type { FoundTable } from '../table/foundTable.ts';
import { partitionTypeName } from '../table/partitionTypes.ts';
import { decodeMbrSector, isExtendedType, MBR_BYTES, type MbrSector, type MbrSlot, mbrTypeText } from './mbrSector.ts';
import { looksLikeBootSector } from './superfloppy.ts';

/** Longer chains are damage; Linux stops at 256 partitions, no tool makes more than 60. */
const MAX_LOGICAL = 128;

/** @returns null when the sector is no MBR: no signature, slots that make no sense, or a filesystem's own boot sector */
export async function readMbr(device: BlockDevice, mbr: MbrSector, sectorBytes: number): Promise<FoundTable | null> {
  if (!mbr.signed || mbr.slots.some((slot) => slot.active !== 0 && slot.active !== 0x80)) return null;
  const filled = mbr.slots.filter((slot) => slot.type !== 0 && slot.sectorCount > 0);
  // mkfs.fat and isohybrid write a slot that begins at sector 0, to please firmware: the disk is one volume.
  const real = filled.filter((slot) => slot.startSector > 0);
  if (real.length === 0 && (filled.length > 0 || looksLikeBootSector(mbr.bytes))) return null;
  const onDisk = (slot: MbrSlot) => (slot.startSector + slot.sectorCount) * sectorBytes <= device.sizeBytes;
  if (looksLikeBootSector(mbr.bytes) && !real.every(onDisk)) return null;

  const warnings: string[] = [];
  const tableExtents: Extent[] = [{ offsetBytes: 0, lengthBytes: MBR_BYTES }];
  const claimed = mbr.slots.flatMap((slot, index) => (real.includes(slot) ? [claimSlot(slot, index + 1, sectorBytes)] : []));
  if (real.length < filled.length) warnings.push('A slot of the MBR begins at sector 0; it is not a partition and is left out.');
  const extended = claimed.filter((partition) => partition.role === 'extended');
  const chain: Chain = { device, sectorBytes, warnings, tableExtents, logical: [], seen: new Set() };
  for (const container of extended) await followChain(chain, container);
  const partitions = fitToDisk([...claimed, ...chain.logical], { sizeBytes: device.sizeBytes, sectorBytes }, warnings);
  warnOfOverlaps(partitions, warnings);
  warnOfStrays(chain.logical, extended, warnings);
  return {
    tableExtents,
    table: {
      kind: 'mbr',
      sectorBytes,
      diskId: mbr.signature,
      partitions: partitions.map((partition) => ({ ...partition, typeName: partitionTypeName(partition.type) })),
      warnings,
      source: 'primary',
      hybrid: false,
      bootCodeHex: mbr.bootCodeHex,
    },
  };
}

function claimSlot(slot: MbrSlot, number: number, sectorBytes: number): ClaimedPartition {
  return {
    number,
    role: isExtendedType(slot.type) ? 'extended' : 'primary',
    startBytes: slot.startSector * sectorBytes,
    sizeBytes: slot.sectorCount * sectorBytes,
    type: mbrTypeText(slot.type),
    id: null,
    name: '',
    bootable: slot.active === 0x80,
    attributes: '0',
    ebrOffsetBytes: null,
  };
}

interface Chain {
  readonly device: BlockDevice;
  readonly sectorBytes: number;
  readonly warnings: string[];
  readonly tableExtents: Extent[];
  readonly logical: ClaimedPartition[];
  readonly seen: Set<number>;
}

/** Each EBR holds one logical partition (relative to itself) and a link to the next (relative to the container). */
async function followChain(chain: Chain, container: ClaimedPartition): Promise<void> {
  let ebrOffsetBytes: number | null = container.startBytes;
  while (ebrOffsetBytes !== null) {
    if (chain.seen.has(ebrOffsetBytes)) {
      chain.warnings.push('The chain of logical partitions runs in a circle; what came before is kept.');
      return;
    }
    if (chain.logical.length >= MAX_LOGICAL) {
      chain.warnings.push(`There are more than ${MAX_LOGICAL} logical partitions; the rest is left out.`);
      return;
    }
    chain.seen.add(ebrOffsetBytes);
    const ebr = await readEbr(chain.device, ebrOffsetBytes);
    if (ebr === null) {
      chain.warnings.push('The chain of logical partitions is broken; partitions behind the break are not seen.');
      return;
    }
    chain.tableExtents.push({ offsetBytes: ebrOffsetBytes, lengthBytes: MBR_BYTES });
    ebrOffsetBytes = takeEbr(chain, ebr, { ebrOffsetBytes, containerOffsetBytes: container.startBytes });
  }
}

/** Takes the partitions of one EBR; returns where the next EBR lies. */
function takeEbr(chain: Chain, ebr: MbrSector, at: { ebrOffsetBytes: number; containerOffsetBytes: number }): number | null {
  let next: number | null = null;
  for (const slot of ebr.slots) {
    if (slot.type === 0 || slot.sectorCount === 0) continue;
    if (isExtendedType(slot.type)) {
      next ??= at.containerOffsetBytes + slot.startSector * chain.sectorBytes;
    } else if (slot.startSector > 0) {
      const claimed = claimSlot(slot, 5 + chain.logical.length, chain.sectorBytes);
      const startBytes = at.ebrOffsetBytes + claimed.startBytes;
      chain.logical.push({ ...claimed, role: 'logical', startBytes, ebrOffsetBytes: at.ebrOffsetBytes });
    }
  }
  return next;
}

async function readEbr(device: BlockDevice, offsetBytes: number): Promise<MbrSector | null> {
  try {
    const ebr = decodeMbrSector(await readBytes(device, offsetBytes, MBR_BYTES));
    return ebr.signed ? ebr : null;
  } catch (error) {
    if (error instanceof DiskError && (error.code === 'DISK_READ_FAILED' || error.code === 'DISK_OUT_OF_RANGE')) return null;
    throw error;
  }
}

function warnOfStrays(logical: readonly ClaimedPartition[], extended: readonly ClaimedPartition[], warnings: string[]): void {
  for (const partition of logical) {
    const endBytes = partition.startBytes + partition.sizeBytes;
    const held = extended.some(
      (container) => partition.startBytes >= container.startBytes && endBytes <= container.startBytes + container.sizeBytes,
    );
    if (!held) warnings.push(`Logical partition ${partition.number} lies outside the extended partition.`);
  }
}
