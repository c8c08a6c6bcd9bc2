/** The first layer of an image: everything that is used, read from the disks or, where it is known not to have changed, remembered. */
import { sumBytes } from '@diskfleet/disk';
import { sizeText } from '../sizeText.ts';
import type { BackupRequest, Operation } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { overlayEntries } from './layers.ts';
import type { MemoryOfRun } from './memoryOfRun.ts';
import { planReuse, type Reuse } from './reuse.ts';
import type { ScannedDisk } from './scan.ts';
import { SourceImage, storeGrid } from './sourceImage.ts';

export interface BaseInput {
  readonly request: BackupRequest;
  readonly memory: MemoryOfRun;
  readonly scanned: readonly ScannedDisk[];
  readonly pool: BackupPool;
}

export async function storeBase({ memory, scanned, pool }: BaseInput, op: Operation): Promise<SourceImage> {
  const reuses: Reuse[] = [];
  for (const [index, one] of scanned.entries()) reuses.push(await reuseOf(memory, index, one, op));
  const read = await storeGrid(pool, { disks: reuses.map((reuse) => reuse.read) });
  const image = new SourceImage();
  image.add((disk) => (scanned[disk]?.used.zeroExtents ?? []).map((extent) => ({ kind: 'zero' as const, ...extent })));
  image.add((disk) => overlayEntries(reuses[disk]?.kept() ?? [], read(disk)));
  return image;
}

async function reuseOf(
  { last, has }: MemoryOfRun,
  index: number,
  { disk, used: { usedExtents: used, usedBytes, layout } }: ScannedDisk,
  op: Operation,
): Promise<Reuse> {
  const changed = last === null ? null : ((await disk.live?.changesSince(last.pointId)) ?? null);
  if (last === null || changed === null) return { read: used, kept: () => [] };
  const { sizeBytes } = layout;
  const reuse = planReuse({ sizeBytes, used, changed, has, entries: () => last.entries(index) });
  const text = `${disk.name}: writes were counted since ${last.pointId}; ${sizeText(sumBytes(reuse.read))} of ${sizeText(usedBytes)} are read.`;
  op.onLog?.({ level: 'info', text });
  return reuse;
}
