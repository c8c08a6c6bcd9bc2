/**
 * Byte layout of a master boot record and of an extended boot record (same shape).
 *
 * | at  | bytes | field |
 * | 0   | 440 | boot code |
 * | 440 | 4   | disk signature, little-endian |
 * | 444 | 2   | reserved |
 * | 446 | 64  | four slots of 16 bytes |
 * | 510 | 2   | 55 AA |
 *
 * Slot: active flag 0x80 or 0 (0), first CHS (1, 3 bytes), type (4), last CHS (5, 3 bytes), first sector (8, 4), sectors (12, 4).
 */
export const MBR_BYTES = 512;
export const BOOT_CODE_BYTES = 440;
export const SLOTS_OFFSET = 446;
export const SLOT_BYTES = 16;

export interface MbrSlot {
  readonly active: number;
  readonly type: number;
  readonly startSector: number;
  readonly sectorCount: number;
}

export interface MbrSector {
  /** Ends in 55 AA. */
  readonly signed: boolean;
  /** All zero. */
  readonly blank: boolean;
  readonly bootCodeHex: string;
  /** 8 hex digits. */
  readonly signature: string;
  readonly slots: readonly MbrSlot[];
  readonly slotsHex: string;
  readonly bytes: Buffer;
}

/** @param bytes at least 512 */
export function decodeMbrSector(bytes: Buffer): MbrSector {
  const signed = bytes.readUInt16LE(510) === 0xaa55;
  const slots = [0, 1, 2, 3].map((index) => {
    const at = SLOTS_OFFSET + index * SLOT_BYTES;
    return {
      active: bytes.readUInt8(at),
      type: bytes.readUInt8(at + 4),
      startSector: bytes.readUInt32LE(at + 8),
      sectorCount: bytes.readUInt32LE(at + 12),
    };
  });
  return {
    signed,
    blank: bytes.subarray(0, MBR_BYTES).every((byte) => byte === 0),
    bootCodeHex: bytes.toString('hex', 0, BOOT_CODE_BYTES),
    signature: bytes.readUInt32LE(440).toString(16).padStart(8, '0'),
    slots: signed ? slots : [],
    slotsHex: bytes.toString('hex', SLOTS_OFFSET, SLOTS_OFFSET + 4 * SLOT_BYTES),
    bytes,
  };
}

export function isExtendedType(type: number): boolean {
  return type === 0x05 || type === 0x0f || type === 0x85;
}

/** `0x83` style. */
export function mbrTypeText(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}
