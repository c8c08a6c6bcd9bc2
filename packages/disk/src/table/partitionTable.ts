/**
 * What a disk's partition table says, in bytes and words, whatever its format. All of it survives JSON unchanged
 * (no BigInt, no buffers), so a manifest can hold it and `encodePartitionTable` can write it to another disk.
 */

export type PartitionRole =
  /** A GPT partition, or one of the four slots of an MBR. */
  | 'primary'
  /** The MBR container of the logical partitions: it holds no data of its own and overlaps them on purpose. */
  | 'extended'
  /** An MBR partition described by an EBR inside the extended one. */
  | 'logical';

export interface Partition {
  /** As Linux numbers it: GPT slot + 1; MBR 1–4 for the slots, 5 and up for logical partitions in chain order. */
  readonly number: number;
  readonly role: PartitionRole;
  readonly startBytes: number;
  /** Cut at the end of the disk (with a warning) when the table claims more. */
  readonly sizeBytes: number;
  /** GPT: the type GUID in lower case. MBR: `0x83` style, two lower-case hex digits. */
  readonly type: string;
  /** Short human word for `type`; `Unknown` when the type is not in our table. */
  readonly typeName: string;
  /** The partition's own GUID in lower case; null for MBR. */
  readonly id: string | null;
  /** GPT name; empty for MBR. */
  readonly name: string;
  /** MBR active flag, or GPT attribute bit 2 (legacy BIOS bootable). */
  readonly bootable: boolean;
  /** GPT attribute bits as a decimal number (64 bits do not fit a JS number); `'0'` for MBR. */
  readonly attributes: string;
  /** Logical partitions: where the EBR that describes it lies. Null for all others. */
  readonly ebrOffsetBytes: number | null;
}

interface TableBase {
  /** The sector size the table counts in: usually the device's, but a 4096-byte-sector disk may be read from a plain file. */
  readonly sectorBytes: number;
  /** GPT: disk GUID in lower case. MBR: the disk signature as 8 lower-case hex digits (as blkid prints PTUUID). */
  readonly diskId: string;
  /** By `number`. */
  readonly partitions: readonly Partition[];
  /** One sentence each, for the administrator: what did not add up. Empty on a healthy disk. */
  readonly warnings: readonly string[];
  /** Which copy was used; always `primary` for MBR. */
  readonly source: 'primary' | 'backup';
  /** GPT whose MBR also lists real partitions. Always false for MBR. */
  readonly hybrid: boolean;
  /** The first 440 bytes of the disk (boot loader) as 880 hex digits. */
  readonly bootCodeHex: string;
}

export interface GptTable extends TableBase {
  readonly kind: 'gpt';
  readonly entryCount: number;
  readonly entryBytes: number;
  /** Where the primary entries lie: behind the header, except where a board's boot loader sits there. */
  readonly entriesOffsetBytes: number;
  /** Partitions may lie in `firstUsableBytes <= x < lastUsableEndBytes`. */
  readonly firstUsableBytes: number;
  readonly lastUsableEndBytes: number;
  /** Disk signature in the protective MBR, 8 hex digits, usually zero. */
  readonly mbrSignature: string;
  /**
   * The four MBR slots (16 bytes each, 128 hex digits together) of a hybrid table; empty when the MBR is merely protective.
   * They repeat places of partitions: who moves one must empty this.
   */
  readonly hybridSlotsHex: string;
}

export interface MbrTable extends TableBase {
  readonly kind: 'mbr';
}

export type PartitionTable = GptTable | MbrTable;
