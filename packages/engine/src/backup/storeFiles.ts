/** The file cutter's part of the first layer: stores the chunks that are wanted of the plans of all disks. */
import { assembleCut } from '../cut/assembleCut.ts';
import { cutsByFiles } from '../cut/cutters.ts';
import { fileMapEntries } from '../cut/fileMap.ts';
import type { DiskPlan } from '../cut/planFiles.ts';
import type { BackupRequest } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { createCellTable } from './cellTable.ts';
import type { ScannedDisk } from './scan.ts';
import type { Layer } from './sourceImage.ts';

/** Whether `planDisk` may find something to plan: asked before there is time to look. */
export function mayCutFiles({ used: { layout } }: ScannedDisk, { cutter }: BackupRequest): boolean {
  const kinds = [layout.filesystem, ...layout.partitions.map(({ filesystem }) => filesystem)].map((found) => found?.kind ?? '');
  return kinds.some((kind) => kind !== '' && cutsByFiles(cutter, kind));
}

/** @param wanted per disk 1 for each chunk to store; null: all of them */
export async function storeFiles(
  pool: BackupPool,
  plans: readonly (DiskPlan | null)[],
  wanted: readonly (Uint8Array | null)[],
): Promise<Layer> {
  const cut = assembleCut(plans, wanted);
  const table = createCellTable(cut.chunkCount);
  if (cut.chunkCount > 0) {
    const next = new Int32Array(new SharedArrayBuffer(8));
    await pool.run({ kind: 'files', cut, table, next }, { usedBytes: cut.usedBytes, chunkBytes: cut.totalBytes });
  }
  return (disk) => fileMapEntries(cut, table, disk);
}
