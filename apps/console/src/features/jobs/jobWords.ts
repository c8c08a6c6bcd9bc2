/** Jobs in words a person uses. */
import type { JobKind, JobResult, JobState, JobView } from '@diskfleet/protocol';
import { formatBytes, formatCount, formatRate } from '../../format/bytes';
import { formatDuration } from '../../format/time';
import type { StatusName } from '../../ui/Status';

export const kindNames = {
  backup: 'Backup',
  restore: 'Restore',
  restoreFiles: 'Restore files',
  explore: 'Explore',
  verify: 'Verify',
} as const satisfies Record<JobKind, string>;

const phaseNames: Readonly<Record<string, string>> = {
  plan: 'Planning',
  open: 'Opening the disk',
  snapshot: 'Freezing the volumes',
  scan: 'Reading the layout',
  layout: 'Reading the layout',
  read: 'Reading',
  copy: 'Copying',
  store: 'Storing',
  write: 'Writing',
  table: 'Writing the partition table',
  flush: 'Flushing',
  index: 'Writing the index',
  manifest: 'Sealing the restore point',
  seal: 'Sealing the restore point',
  commit: 'Sealing the restore point',
  finish: 'Finishing',
  compare: 'Reading back and comparing',
  verify: 'Verifying',
  boot: 'Making it bootable',
};

export function phaseName(phase: string): string {
  const known = phaseNames[phase];
  if (known) return known;
  const words = phase
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[-_]/g, ' ')
    .toLowerCase();
  return words === '' ? 'Working' : words.charAt(0).toUpperCase() + words.slice(1);
}

/** The phases a job of a kind goes through, as the engine names them; others are put where they turn up. */
const usualPhases: Readonly<Record<JobKind, readonly string[]>> = {
  backup: ['scan', 'read', 'commit'],
  restore: ['plan', 'write', 'compare'],
  restoreFiles: ['write'],
  explore: ['read'],
  verify: ['verify'],
};

export function phasesOf(kind: JobKind, phase: string | null): { phases: readonly string[]; current: number } {
  const usual = usualPhases[kind];
  if (phase === null) return { phases: usual, current: -1 };
  const current = usual.indexOf(phase);
  if (current >= 0) return { phases: usual, current };
  // A phase of a newer agent: said by its name, before the last one, which ends every run.
  const before = Math.max(0, usual.length - 1);
  return { phases: [...usual.slice(0, before), phase, ...usual.slice(before)], current: before };
}

export function warningsOf(result: JobResult | null): readonly string[] {
  return result && 'warnings' in result ? result.warnings : [];
}

/** The words agents use when a disk in use could not be held still. */
export function isInconsistent(warning: string): boolean {
  return /half old,? (and )?half new|not of one moment|inconsistent/i.test(warning);
}

/** Success with something to read first is no plain success. What a restore says was read and agreed to before it began. */
export function statusOf({ state, result }: Pick<JobView, 'state' | 'result'>): StatusName {
  const loud = result?.kind !== 'restore' && warningsOf(result).length > 0;
  return state === 'succeeded' && loud ? 'warned' : state;
}

/** May the PC be switched off now? Said for every job that runs. */
export function powerAdvice(kind: JobKind, state: JobState): { safe: boolean; text: string } {
  if (state === 'queued') return { safe: true, text: 'Nothing has begun: this PC may be switched off, the job waits for it.' };
  switch (kind) {
    case 'restore':
      return { safe: false, text: 'Do not switch this PC off: the target is unusable until the restore is complete.' };
    case 'restoreFiles':
      return { safe: true, text: 'This PC may be switched off: files already restored are whole; start again for the rest.' };
    case 'backup':
      return {
        safe: true,
        text: 'This PC may be switched off: earlier restore points stay intact and the next run reuses what is stored.',
      };
    case 'verify':
    case 'explore':
      return { safe: true, text: 'This PC may be switched off: nothing is being changed.' };
  }
}

/** One line of what a job achieved. */
export function resultLine(result: JobResult): string {
  switch (result.kind) {
    case 'backup':
      return `${formatBytes(result.newBytes)} new, ${formatBytes(result.storedBytes)} stored in ${formatDuration(result.seconds)}`;
    case 'restore':
      return `${formatBytes(result.writtenBytes)} written and ${formatBytes(result.comparedBytes)} read back in ${formatDuration(result.seconds)}`;
    case 'restoreFiles':
      return `${formatCount(result.files, 'file')}, ${formatBytes(result.writtenBytes)} in ${formatDuration(result.seconds)}${result.skipped > 0 ? `, ${result.skipped} skipped` : ''}`;
    case 'explore':
      return `${formatCount(result.entries.length, 'entry', 'entries')}`;
    case 'verify':
      return result.damaged.length === 0
        ? `${formatBytes(result.checkedBytes)} checked, no damage`
        : `${formatCount(result.damaged.length, 'damaged object')} found`;
  }
}

export function resultFacts(result: JobResult): readonly (readonly [string, string])[] {
  switch (result.kind) {
    case 'backup':
      return [
        ['Method', result.method],
        ['Used on the disk', formatBytes(result.usedBytes)],
        ['Read', formatBytes(result.readBytes)],
        ['New data', formatBytes(result.newBytes)],
        ['Stored after compression', formatBytes(result.storedBytes)],
        ['Speed', formatRate(result.seconds > 0 ? result.readBytes / result.seconds : null)],
        ['Took', formatDuration(result.seconds)],
      ];
    case 'restore':
      return [
        ['Written', formatBytes(result.writtenBytes)],
        ['Read back and compared', formatBytes(result.comparedBytes)],
        ['Left alone (equal already)', formatBytes(result.skippedBytes)],
        ['Took', formatDuration(result.seconds)],
      ];
    case 'restoreFiles':
      return [
        ['Files', result.files.toLocaleString('en-US')],
        ['Written', formatBytes(result.writtenBytes)],
        ['Skipped', result.skipped.toLocaleString('en-US')],
        ['Took', formatDuration(result.seconds)],
      ];
    case 'explore':
      return [['Entries', result.entries.length.toLocaleString('en-US')]];
    case 'verify':
      return [
        ['Checked', formatBytes(result.checkedBytes)],
        ['Objects', result.checkedObjects.toLocaleString('en-US')],
        ['Damaged', result.damaged.length.toLocaleString('en-US')],
      ];
  }
}

export function canCancel(job: Pick<JobView, 'state'>): boolean {
  return job.state === 'queued' || job.state === 'offered' || job.state === 'running';
}
/** A restore needs a new plan and a new confirmation; everything else may simply run again. */
export function canRetry(job: Pick<JobView, 'state' | 'kind'>): boolean {
  return (job.state === 'failed' || job.state === 'cancelled' || job.state === 'missed') && job.kind !== 'restore';
}
