/**
 * Reads a GUID partition table: primary copy if it proves, else the backup, with a warning.
 * The sector size is found by trying: the device's own first, then 512 and 4096, since an image of a 4096-byte-sector
 * disk read from a plain file says 512.
 */
import type { BlockDevice } from '../blockDevice.ts';
import { DiskError } from '../errors.ts';
import type { MbrSector } from '../mbr/mbrSector.ts';
import { type ClaimedPartition, fitToDisk, warnOfOverlaps } from '../table/checkPartitions.ts';
import type { FoundTable } from '../table/foundTable.ts';
import { partitionTypeName } from '../table/partitionTypes.ts';
import { decodeGuid, EMPTY_GUID, GPT_NAME_BYTES } from './gptLayout.ts';
import { type GptCopy, type NoGptCopy, readGptCopy } from './readGptCopy.ts';

const LEGACY_BIOS_BOOTABLE = 1n << 2n;

interface FoundCopies {
  readonly sectorBytes: number;
  readonly primary: GptCopy | NoGptCopy;
  readonly backup: GptCopy | NoGptCopy;
}

/**
 * @param mbr the disk's first sector
 * @returns null when no copy calls itself a GPT and `mbr` does not announce one
 * @throws DiskError `TABLE_DAMAGED` when there is a GPT but neither copy proves, `TABLE_TOO_LARGE` above 1024 entries
 */
export async function readGpt(device: BlockDevice, mbr: MbrSector): Promise<FoundTable | null> {
  const announced = mbr.slots.some((slot) => slot.type === 0xee);
  // Without an announcing MBR the table counts only when the first sector was wiped: otherwise it is a leftover of an older use.
  if (!announced && !mbr.blank) return null;
  const tried: FoundCopies[] = [];
  for (const sectorBytes of new Set([device.sectorBytes, 512, 4096])) {
    const copies = await readCopies(device, sectorBytes, announced ? mbr : null);
    if (copies.primary.ok) return toTable(device, mbr, copies);
    tried.push(copies);
  }
  if (!announced) return null;
  const rescued = tried.find((copies) => copies.backup.ok);
  if (rescued !== undefined) return toTable(device, mbr, rescued);
  const failures = tried.flatMap(({ primary, backup }) => [primary, backup]).filter((copy) => !copy.ok);
  if (failures.some((copy) => copy.tooLarge)) {
    throw new DiskError('TABLE_TOO_LARGE', 'the GPT claims more partitions than any disk has; it is damaged or was made to harm');
  }
  const best =
    tried.find(({ primary, backup }) => (!primary.ok && primary.present) || (!backup.ok && backup.present)) ?? tried[0];
  const why =
    best === undefined || best.primary.ok || best.backup.ok ? '' : `: ${best.primary.reason}; backup: ${best.backup.reason}`;
  throw new DiskError('TABLE_DAMAGED', `neither copy of the GPT is usable (primary${why})`);
}

async function readCopies(device: BlockDevice, sectorBytes: number, mbr: MbrSector | null): Promise<FoundCopies> {
  const primary = await readGptCopy(device, sectorBytes, 1);
  const lastLba = Math.floor(device.sizeBytes / sectorBytes) - 1;
  const places = new Set([lastLba]);
  if (primary.ok && primary.otherLba > 1n && primary.otherLba < BigInt(lastLba)) places.add(Number(primary.otherLba));
  const protective = mbr?.slots.find((slot) => slot.type === 0xee);
  if (protective !== undefined) places.add(protective.startSector + protective.sectorCount - 1);
  let backup: GptCopy | NoGptCopy | undefined;
  for (const lba of places) {
    const copy = lba > 1 ? await readGptCopy(device, sectorBytes, lba) : undefined;
    if (copy?.ok) return { sectorBytes, primary, backup: copy };
    if (backup === undefined || (!backup.ok && !backup.present)) backup = copy ?? backup;
  }
  const absent: NoGptCopy = { ok: false, present: false, tooLarge: false, reason: 'there is no room for it' };
  return { sectorBytes, primary, backup: backup ?? absent };
}

function toTable(device: BlockDevice, mbr: MbrSector, copies: FoundCopies): FoundTable {
  const { primary, backup, sectorBytes } = copies;
  const warnings: string[] = [];
  const used = primary.ok ? primary : backup;
  if (!used.ok) throw new DiskError('TABLE_DAMAGED', 'neither copy of the GPT is usable');
  warnOfCopies(device, copies, warnings);
  if (mbr.blank) warnings.push('The protective MBR is missing; the GPT itself is in order.');
  const partitions = fitToDisk(readEntries(used, sectorBytes, warnings), { sizeBytes: device.sizeBytes, sectorBytes }, warnings);
  warnOfOverlaps(partitions, warnings);
  const hybrid = mbr.slots.some((slot) => slot.type !== 0 && slot.type !== 0xee);
  const extents = [primary, backup].flatMap((copy) => (copy.ok ? copy.extents : []));
  return {
    tableExtents: [{ offsetBytes: 0, lengthBytes: 512 }, ...extents],
    table: {
      kind: 'gpt',
      sectorBytes,
      diskId: used.diskId,
      partitions: partitions.map((partition) => ({ ...partition, typeName: partitionTypeName(partition.type) })),
      warnings,
      source: primary.ok ? 'primary' : 'backup',
      hybrid,
      bootCodeHex: mbr.bootCodeHex,
      entryCount: used.entryCount,
      entryBytes: used.entryBytes,
      entriesOffsetBytes: primaryEntriesOffset(used, sectorBytes),
      firstUsableBytes: used.firstUsableLba * sectorBytes,
      lastUsableEndBytes: (used.lastUsableLba + 1) * sectorBytes,
      mbrSignature: mbr.signature,
      hybridSlotsHex: hybrid ? mbr.slotsHex : '',
    },
  };
}

/** The backup does not know where the primary's entries were: behind the header, where the standard puts them. */
function primaryEntriesOffset(used: GptCopy, sectorBytes: number): number {
  return used.lba === 1 ? used.entriesOffsetBytes : 2 * sectorBytes;
}

function warnOfCopies(device: BlockDevice, copies: FoundCopies, warnings: string[]): void {
  const { primary, backup, sectorBytes } = copies;
  const lastLba = Math.floor(device.sizeBytes / sectorBytes) - 1;
  if (!primary.ok) {
    warnings.push(`The primary GPT is damaged (${primary.reason}); its backup at the end of the disk is used instead.`);
  } else if (!backup.ok) {
    warnings.push(`The backup GPT is missing or damaged (${backup.reason}); the primary one is in order.`);
  } else if (primary.diskId !== backup.diskId || !primary.entries.equals(backup.entries)) {
    warnings.push('The two copies of the GPT differ; the primary one is used.');
  }
  if (backup.ok && backup.lba !== lastLba) {
    warnings.push('The backup GPT is not at the end of the disk: the disk was smaller when it was partitioned.');
  }
}

function readEntries(copy: GptCopy, sectorBytes: number, warnings: string[]): ClaimedPartition[] {
  const found: ClaimedPartition[] = [];
  const limitLba = BigInt(Math.floor(Number.MAX_SAFE_INTEGER / sectorBytes));
  for (let slot = 0; slot < copy.entryCount; slot += 1) {
    const entry = copy.entries.subarray(slot * copy.entryBytes, (slot + 1) * copy.entryBytes);
    const type = decodeGuid(entry, 0);
    if (type === EMPTY_GUID) continue;
    const number = slot + 1;
    const [first, last] = [entry.readBigUInt64LE(32), entry.readBigUInt64LE(40)];
    if (first > last || last >= limitLba) {
      warnings.push(`Partition ${number} has an impossible place in the table and is left out.`);
      continue;
    }
    const [firstLba, lastLba] = [Number(first), Number(last)];
    if (firstLba < copy.firstUsableLba || lastLba > copy.lastUsableLba) {
      warnings.push(`Partition ${number} lies outside the range the table calls usable.`);
    }
    const attributes = entry.readBigUInt64LE(48);
    found.push({
      number,
      role: 'primary',
      startBytes: firstLba * sectorBytes,
      sizeBytes: (lastLba - firstLba + 1) * sectorBytes,
      type,
      id: decodeGuid(entry, 16),
      name: decodeName(entry),
      bootable: (attributes & LEGACY_BIOS_BOOTABLE) !== 0n,
      attributes: attributes.toString(),
      ebrOffsetBytes: null,
    });
  }
  return found;
}

/** Lone surrogates become U+FFFD, so that the name survives JSON and a database. */
function decodeName(entry: Buffer): string {
  const text = entry.toString('utf16le', 56, 56 + GPT_NAME_BYTES);
  const end = text.indexOf('\0');
  return (end < 0 ? text : text.slice(0, end)).toWellFormed();
}
