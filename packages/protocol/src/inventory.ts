import * as z from 'zod';
import { bytesNumber, foreignText } from './text.ts';

/** What an agent says about its PC. Everything in it is hostile until parsed here. */
const contentShape = z.object({
  kind: foreignText(16),
  label: foreignText(128),
  uuid: foreignText(64),
  totalBytes: bytesNumber,
  usedBytes: bytesNumber,
  /** Null: nobody looked. */
  clean: z.boolean().nullable(),
  /** What else people may want to know, e.g. how it is encrypted. */
  details: foreignText(128).optional(),
});

export const filesystemShape = contentShape.extend({
  /** Of an LVM physical volume: its logical volumes by their full names, `group/volume`. */
  volumes: z
    .array(
      z.object({
        name: foreignText(256),
        sizeBytes: bytesNumber,
        type: foreignText(32),
        filesystem: contentShape.nullable(),
      }),
    )
    .max(1024)
    .readonly()
    .optional(),
});

/**
 * What tells that a volume belongs to an operating system, as the agent found it by looking inside. Words a reader does not know say nothing to it.
 * Absent: the agent does not look.
 */
const systemFactsShape = z.object({
  /** `linux`, `linuxBoot`, `efi`, `windows`, `windowsBoot`, `recovery`: what lies on it; `active`: the boot flag of an MBR. */
  holds: z.array(foreignText(24)).max(16).optional(),
  /** Where its systems mount it: the running one now, or one at rest by its fstab; `swap` for swap space. */
  mountPoints: z.array(foreignText(512)).max(32).optional(),
  /** The running system uses it now. */
  inUse: z.boolean().optional(),
  /** Volumes with the same text make one (LVM, RAID, btrfs over several disks): all are needed or none. */
  group: foreignText(128).optional(),
});

export const partitionShape = z.object({
  number: z.number().int().min(0).max(1024),
  startBytes: bytesNumber,
  sizeBytes: bytesNumber,
  type: foreignText(40),
  typeName: foreignText(64),
  id: foreignText(64).nullable(),
  name: foreignText(128),
  filesystem: filesystemShape.nullable(),
  /** Where the OS has it mounted now. */
  mountPoint: foreignText(512).nullable(),
  ...systemFactsShape.shape,
});

export const diskShape = z.object({
  /** Stable identity on this machine: serial/WWN, or `file:<hash>` for a regular file used as a disk. Never empty. */
  key: foreignText(160).pipe(z.string().min(1)),
  /** Where the agent opens it (`/dev/sda`, a file). Shown, never interpreted by the server. */
  path: foreignText(1024),
  name: foreignText(128),
  model: foreignText(128),
  serial: foreignText(128),
  sizeBytes: bytesNumber,
  sectorBytes: z.number().int().min(512).max(65536),
  bus: foreignText(16),
  isSystemDisk: z.boolean(),
  removable: z.boolean(),
  readOnly: z.boolean(),
  /** Why it cannot be overwritten now (mounted, held, system disk), or null. */
  busyReason: foreignText(256).nullable(),
  table: z.enum(['gpt', 'mbr']).nullable(),
  tableId: foreignText(64).nullable(),
  partitions: z.array(partitionShape).max(256),
  /** Set when one filesystem fills the whole disk. */
  filesystem: filesystemShape.nullable(),
  /** The same of a disk without a table. */
  ...systemFactsShape.shape,
  fingerprint: foreignText(64),
  /** What could not be read and why. */
  warnings: z.array(foreignText(512)).max(50),
});

export const inventoryShape = z.object({
  hostname: foreignText(253),
  os: z.object({
    platform: foreignText(32),
    name: foreignText(128),
    version: foreignText(128),
    kernel: foreignText(128),
    arch: foreignText(32),
  }),
  hardware: z.object({
    vendor: foreignText(128),
    model: foreignText(128),
    serial: foreignText(128),
    cpu: foreignText(128),
    cores: z.number().int().min(0).max(4096),
    memoryBytes: bytesNumber,
  }),
  bootId: foreignText(64),
  /** How this PC was started; absent or null: not known. */
  firmware: z.enum(['uefi', 'bios']).nullable().optional(),
  timeZone: foreignText(64),
  /** Whether the agent may read raw disks, and the reason to show when it may not. */
  canReadDisks: z.boolean(),
  limitation: foreignText(512).nullable(),
  /** Local switch: disk writes commanded by the server are allowed on this PC. */
  allowRemoteDiskWrites: z.boolean(),
  /** Folder whose files are offered as disks, and where new disk files may be created. */
  diskFilesFolder: foreignText(1024).nullable(),
  disks: z.array(diskShape).max(256),
  takenAt: z.iso.datetime(),
});

export type InventoryFilesystem = z.infer<typeof filesystemShape>;
export type InventoryPartition = z.infer<typeof partitionShape>;
export type InventoryDisk = z.infer<typeof diskShape>;
export type Inventory = z.infer<typeof inventoryShape>;
