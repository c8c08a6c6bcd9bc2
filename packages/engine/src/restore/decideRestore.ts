/**
 * What restoring a saved disk to a target will do, decided from two layouts alone: no reading, no clock, no chance. The same
 * inputs always give the same plan and the same hash.
 *
 * A restore of a disk puts every partition back where it was, with all ids. So it fits when the target reaches past the last partition (and,
 * for GPT, has room for the backup table behind it); on a larger target the rest stays unpartitioned. Partitions that are not part
 * of the point have rules of their own: see leftOut.ts.
 */
import { DiskError, encodePartitionTable, type PartitionTable } from '@diskfleet/disk';
import { isContainer } from '../layout/selectBackup.ts';
import { sizeText } from '../sizeText.ts';
import type { DiskLayout, LayoutFilesystem, LayoutPartition, RestorePlan, RestoreTarget } from '../types.ts';
import { type Fate, fatesOfLeftOut, mergeTables, samePartition } from './leftOut.ts';
import { leftOutNotes } from './leftOutNotes.ts';
import { hashPlan } from './planHash.ts';

export interface PlanSource {
  readonly pointId: string;
  readonly diskIndex: number;
  /** As it was when saved. */
  readonly layout: DiskLayout;
  readonly table: PartitionTable | null;
  /** Set when this one partition is all that is restored; `layout` then describes its inside. */
  readonly partition: LayoutPartition | null;
  readonly usedBytes: number;
  /** Where the last byte that is not zero ends, or any bound above it. Decides for disks without a table only. */
  readonly dataEndBytes: number;
}

export interface PlanTarget {
  readonly path: string;
  readonly name: string;
  readonly serial: string;
  /** Regular files have no sectors of their own: they take the source's. */
  readonly isFile: boolean;
  /** Null: a regular file that does not exist yet, or is empty, and will be made as large as the source. */
  readonly layout: DiskLayout | null;
  /** The first MiB is all zero. */
  readonly blank: boolean;
}

interface Note {
  readonly code: string;
  readonly text: string;
}

/** Pure. `fits` false means `restore()` will refuse the plan; `reasons` say why. */
export function decideRestore(source: PlanSource, wanted: PlanTarget): RestorePlan {
  const target = describeTarget(source, wanted);
  const fates = source.partition === null ? fatesOfLeftOut(source, wanted.layout, target.sizeBytes) : new Map<number, Fate>();
  const partitions = placePartitions(source, wanted.layout, fates);
  const reasons = whyNot(source, { target, partitions });
  const plan = {
    fits: reasons.length === 0,
    pointId: source.pointId,
    diskIndex: source.diskIndex,
    partition: source.partition?.number ?? null,
    source: { sizeBytes: source.layout.sizeBytes, usedBytes: source.usedBytes, table: source.layout.table },
    target,
    partitions,
    losses: wanted.layout === null ? [] : lossesOf(wanted.layout, wanted.blank, keptOn(wanted.layout, source.layout, fates)),
    bootSteps: [],
    estimatedBytes: source.usedBytes,
  };
  const warnings = [...warningsOf(source, target), ...leftOutNotes(source.layout, wanted.layout, fates)];
  return { planHash: hashPlan(plan), ...plan, reasons, warnings };
}

/** Fingerprint of a target that does not exist: no layout hashes to it. */
export const ABSENT = 'absent';

function describeTarget(source: PlanSource, { path, name, serial, isFile, layout }: PlanTarget): RestoreTarget {
  return {
    path,
    name,
    serial,
    sizeBytes: layout?.sizeBytes ?? source.layout.sizeBytes,
    sectorBytes: isFile || layout === null ? source.layout.sectorBytes : layout.sectorBytes,
    fingerprint: layout?.fingerprint ?? ABSENT,
    create: layout === null,
  };
}

type Placed = Pick<RestorePlan, 'target' | 'partitions'>;

function whyNot(source: PlanSource, placed: Placed): Note[] {
  const { layout } = source;
  const { target } = placed;
  if (target.sectorBytes !== layout.sectorBytes) {
    const text = `the saved disk has sectors of ${layout.sectorBytes} bytes, ${target.name} of ${target.sectorBytes}; partitions cannot be put back as they were`;
    return [{ code: 'TARGET_SECTOR_MISMATCH', text }];
  }
  const needed = neededBytes(source);
  if (target.sizeBytes < needed) {
    const short = needed - target.sizeBytes;
    const text = `${target.name} has ${sizeText(target.sizeBytes)}; ${sizeText(needed)} are needed (${short} bytes more) to hold every partition where it was`;
    return [{ code: 'TARGET_TOO_SMALL', text }];
  }
  return whyTableDoesNotFit(source, placed);
}

function whyTableDoesNotFit({ layout, table }: PlanSource, placed: Placed): Note[] {
  const { target } = placed;
  // On a disk of the same size the saved table is put back byte for byte, whatever we think of it.
  if (table === null || target.sizeBytes === layout.sizeBytes) return [];
  const merged = mergeTables(table, placed, null);
  if (table.kind === 'mbr' && merged === null) return [];
  try {
    encodePartitionTable(merged ?? table, target.sizeBytes);
    return [];
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const text = `the saved partition table cannot be written to a disk of another size: ${error.message}`;
    return [{ code: 'PLAN_DOES_NOT_FIT', text }];
  }
}

/** The smallest target that holds everything where it was. */
export function neededBytes({ layout, table, dataEndBytes }: PlanSource): number {
  if (layout.table === null) return Math.max(layout.filesystem?.totalBytes ?? 0, dataEndBytes);
  const partial = layout.partitions.some(({ content }) => content === 'leftOut');
  // A container of logical partitions is cut to what it must hold.
  const needed = partial
    ? layout.partitions.filter((one) => one.content !== 'leftOut' && !isContainer(one.type))
    : layout.partitions;
  const lastEnd = needed.reduce((end, { startBytes, sizeBytes }) => Math.max(end, startBytes + sizeBytes), 0);
  if (table?.kind !== 'gpt') return Math.max(lastEnd, layout.sectorBytes);
  const entrySectors = Math.ceil((table.entryCount * table.entryBytes) / table.sectorBytes);
  const behind = Math.max(lastEnd, table.firstUsableBytes + table.sectorBytes) + (entrySectors + 1) * table.sectorBytes;
  // A disk always fits itself, also with a table whose backup lies elsewhere.
  return Math.min(behind, layout.sizeBytes);
}

function placePartitions(
  { partition, layout }: PlanSource,
  target: DiskLayout | null,
  fates: ReadonlyMap<number, Fate>,
): RestorePlan['partitions'] {
  if (partition === null) {
    return layout.partitions.map((one) => {
      const fate = fates.get(one.number);
      const placed = placePartition(one, target);
      if (fate === undefined) return placed;
      const action = fate === 'keep' || fate === 'drop' ? fate : ('create' as const);
      return { ...placed, action, content: 'leftOut' as const, untouched: fate === 'untouched' };
    });
  }
  return [{ ...placePartition(partition, null), action: 'overwrite', toStartBytes: 0 }];
}

function placePartition(partition: LayoutPartition, target: DiskLayout | null): RestorePlan['partitions'][number] {
  const same = target?.partitions.some(
    ({ startBytes, sizeBytes }) => startBytes === partition.startBytes && sizeBytes === partition.sizeBytes,
  );
  return {
    number: partition.number,
    action: same === true ? 'overwrite' : 'create',
    fromStartBytes: partition.startBytes,
    fromBytes: partition.sizeBytes,
    toStartBytes: partition.startBytes,
    toBytes: partition.sizeBytes,
    label: labelOf(partition),
    filesystem: partition.filesystem?.kind ?? null,
  };
}

function labelOf({ filesystem, name, typeName }: LayoutPartition): string {
  return filesystem?.label || name || typeName;
}

/** Numbers of the target's partitions that stay as they are. */
function keptOn(target: DiskLayout, saved: DiskLayout, fates: ReadonlyMap<number, Fate>): ReadonlySet<number> {
  const kept = saved.partitions.filter(({ number }) => fates.get(number) === 'keep');
  const found = new Set(kept.flatMap((one) => samePartition(one, saved, target)?.number ?? []));
  // The container itself holds nothing.
  if (found.size > 0) for (const { number, type } of target.partitions) if (isContainer(type)) found.add(number);
  return found;
}

function lossesOf(target: DiskLayout, blank: boolean, kept: ReadonlySet<number>): RestorePlan['losses'] {
  const loss = (number: number | null, label: string, filesystem: LayoutFilesystem | null, sizeBytes: number) => ({
    number,
    label,
    filesystem: filesystem?.kind ?? null,
    usedBytes: filesystem?.usedBytes ?? null,
    sizeBytes,
  });
  if (target.table !== null) {
    const gone = target.partitions.filter(({ number }) => !kept.has(number));
    return gone.map((partition) => loss(partition.number, labelOf(partition), partition.filesystem, partition.sizeBytes));
  }
  if (target.filesystem !== null) {
    return [loss(null, target.filesystem.label || target.filesystem.kind, target.filesystem, target.sizeBytes)];
  }
  return blank ? [] : [loss(null, 'data of an unknown kind', null, target.sizeBytes)];
}

function warningsOf({ layout, dataEndBytes }: PlanSource, target: RestoreTarget): Note[] {
  const notes: Note[] = [];
  if (target.sizeBytes > layout.sizeBytes && layout.table !== null) {
    const text = `${sizeText(target.sizeBytes - layout.sizeBytes)} at the end of ${target.name} will belong to no partition`;
    notes.push({ code: 'TARGET_LARGER', text });
  }
  if (target.sizeBytes < dataEndBytes && layout.table !== null) {
    const text = `bytes behind the last partition are left out: ${target.name} ends before them`;
    notes.push({ code: 'TAIL_LEFT_OUT', text });
  }
  for (const { number, filesystem, content } of layout.partitions) {
    if (filesystem?.clean === false && content !== 'leftOut') {
      const text = `partition ${number} was in use when it was saved; its system will check it at the first start`;
      notes.push({ code: 'FILESYSTEM_NOT_CLEAN', text });
    }
  }
  return notes;
}
