/** Disks of the storyboards: shapes as agents report them, sizes as people have them. */
import type { Inventory, InventoryDisk, InventoryPartition, PointDisk } from '@diskfleet/protocol';

export const MiB = 1024 ** 2;
export const GiB = 1024 ** 3;

interface PartitionSeed {
  readonly size: number;
  readonly type: string;
  readonly name?: string;
  readonly fs?: readonly [kind: string, label: string, used: number];
  readonly mount?: string;
  /** Name, GiB, filesystem, GiB used. */
  readonly volumes?: readonly (readonly [name: string, size: number, kind: string | null, used: number])[];
  readonly gapBefore?: number;
}

function partitions(seeds: readonly PartitionSeed[]): InventoryPartition[] {
  let at = MiB;
  return seeds.map((seed, index) => {
    at += seed.gapBefore ?? 0;
    const startBytes = at;
    at += seed.size;
    return {
      number: index + 1,
      startBytes,
      sizeBytes: seed.size,
      type: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
      typeName: seed.type,
      id: `00000000-0000-4000-8000-00000000000${index}`,
      name: seed.name ?? '',
      filesystem: seed.fs
        ? {
            kind: seed.fs[0],
            label: seed.fs[1],
            uuid: `A1B2-C3D${index}`,
            totalBytes: seed.size,
            usedBytes: seed.fs[2],
            clean: true,
            ...(seed.volumes ? { volumes: seed.volumes.map(logicalVolume) } : {}),
          }
        : null,
      mountPoint: seed.mount ?? null,
    };
  });
}

function logicalVolume([name, size, kind, used]: NonNullable<PartitionSeed['volumes']>[number]) {
  const sizeBytes = size * GiB;
  const filesystem = kind && { kind, label: '', uuid: '', totalBytes: sizeBytes, usedBytes: used * GiB, clean: true };
  return { name, sizeBytes, type: kind ? 'linear' : 'thin', filesystem: filesystem || null };
}

export function disk(
  part: Partial<InventoryDisk> & { name: string; sizeBytes: number },
  seeds: readonly PartitionSeed[],
): InventoryDisk {
  return {
    key: `disk:${part.serial ?? part.name}`,
    path: `/dev/${part.name}`,
    model: '',
    serial: 'S0000000',
    sectorBytes: 512,
    bus: 'sata',
    isSystemDisk: false,
    removable: false,
    readOnly: false,
    busyReason: null,
    table: seeds.length > 0 ? 'gpt' : null,
    tableId: null,
    partitions: partitions(seeds),
    filesystem: null,
    fingerprint: 'f00d',
    warnings: [],
    ...part,
  };
}

export const workstationDisks = [
  disk(
    {
      name: 'nvme0n1',
      model: 'Samsung SSD 990 PRO 1TB',
      serial: 'S6Z2NJ0W418822K',
      sizeBytes: 1_000_204_886_016,
      bus: 'nvme',
      isSystemDisk: true,
      busyReason: 'the operating system runs from this disk',
    },
    [
      { size: 512 * MiB, type: 'EFI system', fs: ['vfat', 'ESP', 38 * MiB], mount: '/boot/efi' },
      { size: 1 * GiB, type: 'Linux filesystem', fs: ['ext4', 'boot', 412 * MiB], mount: '/boot' },
      { size: 220 * GiB, type: 'Linux filesystem', name: 'root', fs: ['ext4', 'ubuntu', 96.4 * GiB], mount: '/' },
      { size: 480 * GiB, type: 'Microsoft basic data', fs: ['ntfs', 'Projects', 311 * GiB], mount: '/mnt/projects' },
      { size: 16 * GiB, type: 'Linux swap', fs: ['swap', '', 16 * GiB] },
    ],
  ),
  disk({ name: 'sda', model: 'Crucial MX500', serial: 'CT2049E5B7A1C3', sizeBytes: 500_107_862_016 }, [
    { size: 300 * GiB, type: 'Linux filesystem', name: 'archive', fs: ['ext4', 'archive', 204 * GiB] },
    { size: 100 * GiB, type: 'Microsoft basic data', fs: ['ntfs', 'Old laptop', 61.3 * GiB] },
  ]),
  disk({ name: 'sdb', model: 'WD Blue 3D NAND', serial: 'WD-21470C4451F0', sizeBytes: 1_000_204_886_016 }, []),
  disk({ name: 'sdc', model: 'Ultra Fit', serial: '4C530001220311', sizeBytes: 61_530_439_680, bus: 'usb', removable: true }, [
    { size: 57 * GiB, type: 'Microsoft basic data', fs: ['vfat', 'USB', 12 * GiB], mount: '/media/usb' },
  ]),
];

/** A physical volume of LVM with three logical ones. */
export const lvmDisk = disk({ name: 'sdd', model: 'Seagate Exos', serial: 'ZL2F81K9', sizeBytes: 120 * GiB }, [
  {
    size: 100 * GiB,
    type: 'Linux LVM',
    fs: ['lvm2', '', 71 * GiB],
    volumes: [
      ['vg0/root', 30, 'ext4', 11],
      ['vg0/home', 40, 'xfs', 29],
      ['vg0/db', 20, null, 20],
    ],
  },
]);

export const laptopDisks = [
  disk(
    {
      name: 'PhysicalDrive0',
      model: 'KIOXIA KBG50ZNV512G',
      serial: 'Y2JF71A9F9Q1',
      sizeBytes: 512_110_190_592,
      bus: 'nvme',
      isSystemDisk: true,
      busyReason: 'Windows runs from this disk',
    },
    [
      { size: 260 * MiB, type: 'EFI system', fs: ['vfat', 'SYSTEM', 33 * MiB] },
      { size: 16 * MiB, type: 'Microsoft reserved' },
      { size: 474 * GiB, type: 'Microsoft basic data', fs: ['ntfs', 'Windows', 287 * GiB], mount: 'C:' },
      { size: 990 * MiB, type: 'Windows recovery', fs: ['ntfs', 'WinRE', 731 * MiB] },
    ],
  ),
];

export const fileDisks = [
  disk(
    {
      name: 'demo-disk.img',
      model: 'Disk file',
      serial: 'FILE-7C21A0B4',
      sizeBytes: 8 * GiB,
      bus: 'file',
      path: '/srv/disks/demo-disk.img',
      key: 'file:7c21a0b4',
    },
    [
      { size: 256 * MiB, type: 'EFI system', fs: ['vfat', 'ESP', 31 * MiB] },
      { size: 5 * GiB, type: 'Linux filesystem', fs: ['ext4', 'root', 3.1 * GiB] },
      { size: 2 * GiB, type: 'Microsoft basic data', fs: ['ntfs', 'Data', 640 * MiB] },
    ],
  ),
  disk(
    {
      name: 'spare.img',
      model: 'Disk file',
      serial: 'FILE-19F3D7E2',
      sizeBytes: 10 * GiB,
      bus: 'file',
      path: '/srv/disks/spare.img',
      key: 'file:19f3d7e2',
    },
    [],
  ),
];

export function inventory(hostname: string, os: Inventory['os'], disks: InventoryDisk[]): Inventory {
  return {
    hostname,
    os,
    hardware: {
      vendor: 'LENOVO',
      model: 'ThinkStation P3',
      serial: 'PF4K2N1X',
      cpu: 'Intel Core i7-13700',
      cores: 16,
      memoryBytes: 32 * GiB,
    },
    bootId: 'b0071d',
    timeZone: 'Europe/Berlin',
    canReadDisks: true,
    limitation: null,
    allowRemoteDiskWrites: true,
    diskFilesFolder: '/srv/disks',
    disks,
    takenAt: new Date(Date.now() - 90_000).toISOString(),
  };
}

export const linux: Inventory['os'] = {
  platform: 'linux',
  name: 'Ubuntu',
  version: '24.04.3 LTS',
  kernel: '6.8.0-87-generic',
  arch: 'x64',
};
export const windows: Inventory['os'] = {
  platform: 'win32',
  name: 'Windows 11 Pro',
  version: '25H2',
  kernel: '10.0.26200',
  arch: 'x64',
};

export function pointDisk(source: InventoryDisk, index = 0): PointDisk {
  return {
    index,
    name: source.name,
    model: source.model,
    serial: source.serial,
    sizeBytes: source.sizeBytes,
    sectorBytes: source.sectorBytes,
    table: source.table,
    tableId: source.tableId,
    filesystem: source.filesystem,
    usedBytes: usedBytes(source),
    partitions: source.partitions.map(({ mountPoint: _, ...partition }) => partition),
  };
}

export function usedBytes(source: InventoryDisk): number {
  return source.partitions.reduce((sum, partition) => sum + (partition.filesystem?.usedBytes ?? partition.sizeBytes), 0);
}
