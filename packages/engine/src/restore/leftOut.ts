/**
 * What a restore does with partitions whose content is not in the point. Their bytes may be the only copy of somebody's data, so
 * nothing is written into them as long as that can be: when the target has the very same partition (same place, type and identity), it is
 * kept; when the target has no table at all (it is blank, or a restore of this point was interrupted), its place is left as it
 * is, so that doing it again brings everything back. Only where the target's table says that something else lies there is the place made
 * empty, and what lay there is among the losses of the plan.
 */
import { type Extent, intersectExtents, type PartitionTable } from '@diskfleet/disk';
import { isContainer } from '../layout/selectBackup.ts';
import { tableExtents } from '../layout/tableExtents.ts';
import type { DiskLayout, LayoutPartition, RestorePlan } from '../types.ts';

/** `keep` and `untouched`: not a byte is written. `empty`: created without content. `drop`: not created, for lack of room. */
export type Fate = 'keep' | 'untouched' | 'empty' | 'drop';

export interface SavedLayout {
  readonly layout: DiskLayout;
  readonly table: PartitionTable | null;
}

/** By number, of each partition that is left out. Pure. */
export function fatesOfLeftOut(saved: SavedLayout, target: DiskLayout | null, targetBytes: number): ReadonlyMap<number, Fate> {
  const fates = new Map<number, Fate>();
  for (const partition of saved.layout.partitions) {
    if (partition.content === 'leftOut') fates.set(partition.number, fateOf(partition, saved, { target, targetBytes }));
  }
  return fates;
}

function fateOf(
  partition: LayoutPartition,
  saved: SavedLayout,
  { target, targetBytes }: { target: DiskLayout | null; targetBytes: number },
): Fate {
  if (partition.startBytes + partition.sizeBytes > usableEnd(saved, targetBytes)) return 'drop';
  // What it shares with the table or with a partition that is put back cannot be left alone.
  if (isShared(partition, saved)) return 'empty';
  if (target === null || target.table === null) return 'untouched';
  return samePartition(partition, saved.layout, target) === null ? 'empty' : 'keep';
}

/** Where partitions must end on the target. */
function usableEnd({ layout, table }: SavedLayout, targetBytes: number): number {
  if (table?.kind !== 'gpt' || targetBytes === layout.sizeBytes) return targetBytes;
  const entrySectors = Math.ceil((table.entryCount * table.entryBytes) / table.sectorBytes);
  return targetBytes - (entrySectors + 1) * table.sectorBytes;
}

function isShared(partition: LayoutPartition, { layout, table }: SavedLayout): boolean {
  const others = layout.partitions.filter(({ content, type }) => content !== 'leftOut' && !isContainer(type)).map(extentOf);
  const own = table === null ? [] : tableExtents(table, layout.sizeBytes);
  return [...others, ...own].some((extent) => intersectExtents([extent], [extentOf(partition)]).length > 0);
}

/** The target's partition that is this one: GPT partitions have an id, those of an MBR are known by their disk's signature and their place. */
export function samePartition(partition: LayoutPartition, saved: DiskLayout, target: DiskLayout): LayoutPartition | null {
  if (saved.table !== target.table) return null;
  const sameDisk = saved.tableId !== null && saved.tableId === target.tableId;
  const found = target.partitions.find(
    ({ startBytes, sizeBytes, type, id }) =>
      startBytes === partition.startBytes &&
      sizeBytes === partition.sizeBytes &&
      type === partition.type &&
      id === partition.id &&
      (id !== null || sameDisk),
  );
  return found ?? null;
}

/** The bytes of the target no step of the restore may write. */
export function untouchedExtents({ partitions }: Pick<RestorePlan, 'partitions'>): Extent[] {
  return partitions
    .filter(({ action, untouched }) => action === 'keep' || untouched === true)
    .map(({ toStartBytes, toBytes }) => ({ offsetBytes: toStartBytes, lengthBytes: toBytes }));
}

/**
 * The table the target gets: the saved one without partitions that are dropped, with an extended partition cut to the target, and with
 * the entries of kept partitions as the target has them. Null: the saved one as it is.
 */
export function mergeTables(
  saved: PartitionTable,
  plan: Pick<RestorePlan, 'partitions' | 'target'>,
  target: PartitionTable | null,
): PartitionTable | null {
  let changed = false;
  const logical = saved.partitions.filter((one) => one.role === 'logical' && actionOf(plan, one.number) !== 'drop');
  const partitions = saved.partitions.flatMap((one) => {
    const action = actionOf(plan, one.number);
    const fitted = one.role === 'extended' ? fitContainer(one, logical, plan.target.sizeBytes) : one;
    if (action === 'drop' || fitted === null) {
      changed = true;
      return [];
    }
    const there = action === 'keep' ? target?.partitions.find(({ startBytes }) => startBytes === one.startBytes) : undefined;
    const own = there === undefined ? {} : { name: there.name, attributes: there.attributes, bootable: there.bootable };
    const merged = { ...fitted, ...own };
    changed ||= merged.sizeBytes !== one.sizeBytes || merged.name !== one.name;
    changed ||= merged.attributes !== one.attributes || merged.bootable !== one.bootable;
    return [merged];
  });
  // Slots of a hybrid MBR repeat places of partitions, which may be gone.
  const hybrid = saved.kind === 'gpt' && partitions.length < saved.partitions.length ? { hybridSlotsHex: '' } : {};
  return changed ? { ...saved, ...hybrid, partitions } : null;
}

function actionOf({ partitions }: Pick<RestorePlan, 'partitions'>, number: number) {
  return partitions.find((one) => one.number === number)?.action;
}

/** Null: there is no room for it. */
function fitContainer<P extends { startBytes: number; sizeBytes: number }>(
  container: P,
  logical: readonly { startBytes: number; sizeBytes: number }[],
  targetBytes: number,
): P | null {
  if (container.startBytes + container.sizeBytes <= targetBytes) return container;
  const held = logical.filter(({ startBytes }) => startBytes >= container.startBytes);
  const end = Math.max(0, ...held.map(({ startBytes, sizeBytes }) => startBytes + sizeBytes));
  return end > container.startBytes ? { ...container, sizeBytes: end - container.startBytes } : null;
}

function extentOf({ startBytes, sizeBytes }: LayoutPartition): Extent {
  return { offsetBytes: startBytes, lengthBytes: sizeBytes };
}
