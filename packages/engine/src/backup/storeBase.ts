/** The first layer of an image: everything that is used, read from the disks or, where it is known not to have changed, remembered. */
import { type Extent, intersectExtents, sumBytes } from '@diskfleet/disk';
import { type DiskPlan, touchedChunks } from '../cut/planFiles.ts';
import { sizeText } from '../sizeText.ts';
import type { BackupRequest, Operation } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { overlayEntries } from './layers.ts';
import type { MemoryOfRun } from './memoryOfRun.ts';
import { planReuse, type Reuse } from './reuse.ts';
import type { ScannedDisk } from './scan.ts';
import { SourceImage, storeGrid } from './sourceImage.ts';
import { planDisk, storeFiles } from './storeFiles.ts';

export interface BaseInput {
  readonly request: BackupRequest;
  readonly memory: MemoryOfRun;
  readonly scanned: readonly ScannedDisk[];
  readonly pool: BackupPool;
}

export async function storeBase({ request, memory, scanned, pool }: BaseInput, op: Operation): Promise<SourceImage> {
  const reuses: Reuse[] = [];
  const plans: (DiskPlan | null)[] = [];
  for (const [index, one] of scanned.entries()) {
    const plan = await planDisk(one, request);
    for (const note of plan?.notes ?? []) op.onLog?.({ level: 'info', text: `${one.disk.name}: ${note}` });
    plans.push(plan);
    reuses.push(await reuseOf(memory, index, one, op));
  }
  // A chunk of files is read whole when any byte of it is: its other pieces lie over what is remembered of them.
  const wanted = plans.map((plan, disk) => plan && touchedChunks(plan, reuses[disk]?.unknown ?? []));
  const files = await storeFiles(pool, plans, wanted);
  const grid = await storeGrid(pool, { disks: reuses.map(({ read }, disk) => gridPart(read, plans[disk] ?? null)) });
  const image = new SourceImage();
  image.add((disk) => (scanned[disk]?.used.zeroExtents ?? []).map((extent) => ({ kind: 'zero' as const, ...extent })));
  image.add((disk) => overlayEntries(overlayEntries(reuses[disk]?.kept() ?? [], files(disk)), grid(disk)));
  return image;
}

function gridPart(read: readonly Extent[], plan: DiskPlan | null): readonly Extent[] {
  return plan === null ? read : intersectExtents(read, plan.others);
}

async function reuseOf(
  { last, has }: MemoryOfRun,
  index: number,
  { disk, used: { usedExtents: used, usedBytes, layout } }: ScannedDisk,
  op: Operation,
): Promise<Reuse> {
  const changed = last === null ? null : ((await disk.live?.changesSince(last.pointId)) ?? null);
  if (last === null || changed === null) return { unknown: used, read: used, kept: () => [] };
  const { sizeBytes } = layout;
  const reuse = planReuse({ sizeBytes, used, changed, has, entries: () => last.entries(index) });
  const text = `${disk.name}: writes were counted since ${last.pointId}; ${sizeText(sumBytes(reuse.read))} of ${sizeText(usedBytes)} are read.`;
  op.onLog?.({ level: 'info', text });
  return reuse;
}
