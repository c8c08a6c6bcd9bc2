import type { points } from '@diskfleet/db';
import { cleanText, type PointDisk } from '@diskfleet/protocol';
import { type SavedDiskInfo, type SavedFilesystem, type SavedVolume, VaultError } from '@diskfleet/vault';
import type { Ctx } from '../context.ts';
import type { JobRow } from '../jobs/move.ts';
import { type DiskRef, openSavedPoint, withExplorer } from '../vaults/openVaults.ts';

export type PointRow = typeof points.$inferInsert & {
  sizeBytes: number;
  usedBytes: number;
  newBytes: number;
  storedBytes: number;
};

/**
 * The catalogue row of a point, from its manifest in the vault.
 * @throws VaultError: not there, unreadable, unreachable, or `POINT_DAMAGED` when it is another machine's.
 */
export async function readPointRow(ctx: Ctx, job: JobRow, pointId: string): Promise<PointRow> {
  const { header, body } = await openSavedPoint(ctx, job.vaultId, pointId);
  if (header.id !== pointId || header.machineId !== job.machineId) {
    throw new VaultError('POINT_DAMAGED', 'the manifest is not one of this machine');
  }
  const claimed = new Date(header.createdAt);
  return {
    id: pointId,
    vaultId: job.vaultId,
    machineId: job.machineId,
    jobId: job.id,
    kind: header.kind,
    method: header.method,
    source: cleanText(header.source).slice(0, 8000),
    recordedAt: ctx.now(),
    createdAt: Number.isNaN(claimed.getTime()) ? ctx.now() : claimed,
    sizeBytes: header.sizeBytes,
    usedBytes: header.usedBytes,
    newBytes: header.newBytes,
    storedBytes: header.storedBytes,
    disks: await Promise.all(
      body.disks.map((disk, index) => describeDisk(ctx, { vaultId: job.vaultId, pointId, diskIndex: index }, disk)),
    ),
    warnings: body.warnings.slice(0, 200).map((text) => cleanText(text).slice(0, 1000)),
  };
}

/** A disk that is one filesystem without a table: the manifest does not name it, so the disk itself is looked at. */
async function describeDisk(ctx: Ctx, ref: DiskRef, disk: SavedDiskInfo): Promise<PointDisk> {
  if (disk.table !== null) return toPointDisk(disk, ref.diskIndex, null);
  const whole = await withExplorer(ctx, ref, async ({ layout }) => layout.filesystem).catch((error: unknown) => {
    if (error instanceof VaultError && error.retry === 'later') throw error;
    ctx.log.warn({ ...ref, err: error }, 'saved disk cannot be looked at');
    return null;
  });
  return toPointDisk(disk, ref.diskIndex, whole);
}

function toPointDisk(disk: SavedDiskInfo, index: number, whole: SavedFilesystem | null): PointDisk {
  const text = (value: string, length = 128) => cleanText(value).slice(0, length);
  const { sizeBytes, sectorBytes, usedBytes, table, tableId } = disk;
  const contentOf = ({ kind, label, uuid, totalBytes, usedBytes, clean, details }: SavedFilesystem) => {
    const more = details === undefined ? {} : { details: text(details) };
    return { kind: text(kind, 16), label: text(label), uuid: text(uuid, 64), totalBytes, usedBytes, clean, ...more };
  };
  const volumeOf = ({ name, sizeBytes, type, filesystem }: SavedVolume) => {
    return { name: text(name, 256), sizeBytes, type: text(type, 32), filesystem: filesystem && contentOf(filesystem) };
  };
  const filesystemOf = (found: SavedFilesystem | null) =>
    found && { ...contentOf(found), ...(found.volumes && { volumes: found.volumes.slice(0, 1024).map(volumeOf) }) };
  return {
    index,
    name: text(disk.name),
    model: text(disk.model),
    serial: text(disk.serial),
    sizeBytes,
    sectorBytes,
    usedBytes,
    table,
    tableId: tableId === null ? null : text(tableId, 64),
    filesystem: filesystemOf(whole),
    partitions: disk.partitions.map((partition) => ({
      number: partition.number,
      startBytes: partition.startBytes,
      sizeBytes: partition.sizeBytes,
      type: text(partition.type, 40),
      typeName: text(partition.typeName, 64),
      id: partition.id === null ? null : text(partition.id, 64),
      name: text(partition.name),
      filesystem: filesystemOf(partition.filesystem),
      ...(partition.content === undefined ? {} : { content: partition.content }),
    })),
  };
}
