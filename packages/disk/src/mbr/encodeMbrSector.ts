import { encodeChs } from './chs.ts';
import { BOOT_CODE_BYTES, SLOT_BYTES, SLOTS_OFFSET } from './mbrSector.ts';

export interface SlotToWrite {
  readonly active: boolean;
  readonly type: number;
  /** What the slot says: in an EBR relative to that EBR or to the container. */
  readonly startSector: number;
  readonly sectorCount: number;
  /** Where it really is on the disk, for the CHS fields. */
  readonly absoluteSector: number;
}

/** A whole sector with boot code, signature and slots; null leaves a slot empty. */
export function encodeMbrSector(
  slots: readonly (SlotToWrite | null)[],
  options: { sectorBytes: number; bootCodeHex?: string; signature?: string; chsBeyond: 'mbr' | 'gpt' },
): Buffer {
  const sector = Buffer.alloc(options.sectorBytes);
  Buffer.from(options.bootCodeHex ?? '', 'hex').copy(sector, 0, 0, BOOT_CODE_BYTES);
  sector.writeUInt32LE(Number.parseInt(options.signature ?? '0', 16), 440);
  slots.forEach((slot, index) => {
    if (slot === null) return;
    const at = SLOTS_OFFSET + index * SLOT_BYTES;
    sector.writeUInt8(slot.active ? 0x80 : 0, at);
    sector.set(encodeChs(slot.absoluteSector, options.chsBeyond), at + 1);
    sector.writeUInt8(slot.type, at + 4);
    sector.set(encodeChs(slot.absoluteSector + slot.sectorCount - 1, options.chsBeyond), at + 5);
    sector.writeUInt32LE(slot.startSector, at + 8);
    sector.writeUInt32LE(slot.sectorCount, at + 12);
  });
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
