/** A restore plan as the disk map draws it: what the target is now, what it will be, and a verb per segment. */
import type { RestorePlanView } from '@diskfleet/protocol';
import { type MapDisk, type MapPartition, partitionTitle } from '../diskMap/layoutDisk.ts';

type Tone = 'make' | 'lose' | 'keep';
export type Verbs = ReadonlyMap<string, { readonly text: string; readonly tone: Tone }>;

/** The target after the run: the partitions of the plan at their new places. */
export function targetAfter(plan: RestorePlanView): { disk: MapDisk; verbs: Verbs } {
  const verbs = new Map<string, { text: string; tone: Tone }>();
  const partitions: MapPartition[] = [];
  for (const part of plan.partitions) {
    if (part.action === 'drop') continue;
    const source = plan.source.partitions.find((candidate) => candidate.number === part.number);
    const used = source?.filesystem?.usedBytes ?? 0;
    partitions.push({
      number: part.number,
      startBytes: part.toStartBytes,
      sizeBytes: part.toBytes,
      typeName: source?.typeName ?? '',
      name: part.label || (source ? partitionTitle(source) : ''),
      filesystem:
        part.filesystem === null ? null : { kind: part.filesystem, label: part.label, usedBytes: used, totalBytes: part.toBytes },
    });
    verbs.set(`p${part.number}`, { text: verbText(part), tone: part.action === 'keep' ? 'keep' : 'make' });
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

/** The target as it is: every partition that the plan does not keep is lost. */
export function targetLosses(plan: RestorePlanView): Verbs {
  const kept = new Set(plan.partitions.filter((part) => part.action === 'keep').map((part) => part.number));
  const verbs = new Map<string, { text: string; tone: Tone }>();
  for (const part of plan.targetBefore?.partitions ?? []) {
    verbs.set(`p${part.number}`, kept.has(part.number) ? { text: 'Kept', tone: 'keep' } : { text: 'Erased', tone: 'lose' });
  }
  if (plan.targetBefore?.filesystem) verbs.set('p0', { text: 'Erased', tone: 'lose' });
  return verbs;
}

function verbText(part: RestorePlanView['partitions'][number]): string {
  if (part.action === 'keep') return 'Kept';
  if (part.toBytes > part.fromBytes) return 'Restored, grown';
  if (part.toBytes < part.fromBytes) return 'Restored, shrunk';
  return 'Restored';
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
