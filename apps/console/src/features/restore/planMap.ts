/** A restore plan as the disk map draws it: what the target is now, what it will be, and a verb per segment. */
import type { RestorePlanView } from '@diskfleet/protocol';
import type { Verb } from '../diskMap/DiskBar';
import { type MapDisk, type MapPartition, partitionTitle } from '../diskMap/layoutDisk.ts';

type Tone = Verb['tone'];
export type Verbs = ReadonlyMap<string, { readonly text: string; readonly tone: Tone }>;

/** The target after the run: the partitions of the plan at their new places, and those it keeps as they are now. */
export function targetAfter(plan: RestorePlanView): { disk: MapDisk; verbs: Verbs } {
  const verbs = new Map<string, { text: string; tone: Tone }>();
  const partitions: MapPartition[] = [];
  for (const part of plan.partitions) {
    if (part.action === 'drop') continue;
    partitions.push(partitionAfter(plan, part));
    verbs.set(`p${part.number}`, verbOf(plan, part));
  }
  const { target, source } = plan;
  const filesystem = partitions.length === 0 ? source.filesystem : null;
  if (filesystem) verbs.set('p0', { text: 'Written', tone: 'make' });
  return {
    disk: {
      name: target.name,
      model: plan.targetBefore?.model ?? (target.create ? 'New disk file' : ''),
      serial: target.serial,
      sizeBytes: target.sizeBytes,
      table: source.table,
      partitions,
      filesystem,
      bus: plan.targetBefore?.bus ?? 'file',
    },
    verbs,
  };
}

type PlanPart = RestorePlanView['partitions'][number];

function partitionAfter(plan: RestorePlanView, part: PlanPart): MapPartition {
  const source = plan.source.partitions.find((candidate) => candidate.number === part.number);
  const place = { number: part.number, startBytes: part.toStartBytes, sizeBytes: part.toBytes };
  const kept = part.action === 'keep' ? keptOnTarget(plan, part) : undefined;
  if (kept) return { ...kept, ...place };
  const used = source?.filesystem?.usedBytes ?? 0;
  const empty = part.filesystem === null || isCreatedEmpty(plan, part);
  return {
    ...place,
    typeName: source?.typeName ?? '',
    name: part.label || (source ? partitionTitle(source) : ''),
    filesystem: empty ? null : { kind: part.filesystem ?? '', label: part.label, usedBytes: used, totalBytes: part.toBytes },
  };
}

/** What lies now where the plan keeps something: it stays, so the target's own description of it is the true one. */
function keptOnTarget(plan: RestorePlanView, part: PlanPart): MapPartition | undefined {
  return plan.targetBefore?.partitions.find((candidate) => candidate.startBytes === part.toStartBytes);
}

/** Its place is made, but its content is not in the restore point. */
function isCreatedEmpty(plan: RestorePlanView, part: PlanPart): boolean {
  const source = plan.source.partitions.find((candidate) => candidate.number === part.number);
  return source?.content === 'leftOut' && part.action !== 'keep';
}

/** Names of partitions the point describes that will not exist on the target. */
export function droppedNames(plan: RestorePlanView): readonly string[] {
  return plan.partitions.filter((part) => part.action === 'drop').map((part) => part.label || `partition ${part.number}`);
}

/** The target as it is: every partition that the plan does not keep is lost. */
export function targetLosses(plan: RestorePlanView): Verbs {
  const kept = new Set(plan.partitions.filter((part) => part.action === 'keep').map((part) => part.toStartBytes));
  const verbs = new Map<string, { text: string; tone: Tone }>();
  for (const part of plan.targetBefore?.partitions ?? []) {
    const stays = kept.has(part.startBytes);
    verbs.set(`p${part.number}`, stays ? { text: 'Kept as it is', tone: 'keep' } : { text: 'Erased', tone: 'lose' });
  }
  if (plan.targetBefore?.filesystem) verbs.set('p0', { text: 'Erased', tone: 'lose' });
  return verbs;
}

function verbOf(plan: RestorePlanView, part: PlanPart): { text: string; tone: Tone } {
  if (part.action === 'keep') return { text: 'Kept as it is', tone: 'keep' };
  if (isCreatedEmpty(plan, part)) return { text: 'Created empty', tone: 'empty' };
  if (part.toBytes > part.fromBytes) return { text: 'Restored, grown', tone: 'make' };
  if (part.toBytes < part.fromBytes) return { text: 'Restored, shrunk', tone: 'make' };
  return { text: 'Restored', tone: 'make' };
}

/** A name for a new disk file that the agent accepts. */
export function suggestedFileName(diskName: string): string {
  const base = diskName
    .replace(/\.(img|raw|bin|disk)$/i, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 60);
  return `restored-${base || 'disk'}.img`;
}

export function isFileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/.test(name);
}
