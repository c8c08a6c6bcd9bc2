import { type BlockDevice, layoutFingerprint } from '@diskfleet/disk';
import type { DiskLayout, LayoutFilesystem } from '../types.ts';
import { type DiskVolumes, readVolumes, type VolumeContent } from './readVolumes.ts';

/** Nobody reads on. */
const MAX_VOLUMES = 1000;

/**
 * What inventory and planning need to know of a disk, live or saved. Reads the table and a few blocks of each volume.
 * @throws DiskError when the disk itself cannot be read; damaged tables and filesystems become `warnings`.
 */
export async function readLayout(device: BlockDevice): Promise<DiskLayout> {
  return layoutOf(device, await readVolumes(device));
}

/** The layout of a disk whose volumes are open already. */
export async function layoutOf(device: BlockDevice, found: DiskVolumes): Promise<DiskLayout> {
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: found.table?.sectorBytes ?? device.sectorBytes,
    table: found.table?.kind ?? null,
    tableId: found.table?.diskId ?? null,
    partitions: found.volumes.map(({ partition, ...content }) => ({
      number: partition.number,
      startBytes: partition.startBytes,
      sizeBytes: partition.sizeBytes,
      type: partition.type,
      typeName: partition.typeName,
      id: partition.id,
      name: partition.name,
      filesystem: describe(content),
    })),
    filesystem: describe(found.whole),
    fingerprint: await layoutFingerprint(device),
    warnings: found.warnings,
  };
}

/** What no reader opened is neither clean nor not: nobody looked. */
function describe({ filesystem, recognised, logicalVolumes }: VolumeContent): LayoutFilesystem | null {
  if (filesystem === null) {
    if (recognised === null) return null;
    const { kind, label, uuid, totalBytes, usedBytes, details } = recognised;
    return { kind, label, uuid, totalBytes, usedBytes, clean: null, ...(details === '' ? {} : { details }) };
  }
  const { kind, label, uuid, totalBytes, usedBytes, clean } = filesystem.info;
  if (logicalVolumes === undefined) return { kind, label, uuid, totalBytes, usedBytes, clean };
  const volumes = logicalVolumes.slice(0, MAX_VOLUMES).map(({ volume: { name, sizeBytes, type }, content }) => {
    return { name, sizeBytes, type, filesystem: content && describe(content) };
  });
  const looked = volumes.some((volume) => typeof volume.filesystem?.clean === 'boolean');
  return { kind, label, uuid, totalBytes, usedBytes, clean: looked ? clean : null, volumes };
}
