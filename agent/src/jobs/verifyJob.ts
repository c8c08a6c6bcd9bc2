import type { JobResult, JobSpecOf } from '@diskfleet/protocol';
import { formatBytes } from '../words.ts';
import { type JobContext, say, withJobVault } from './jobContext.ts';

/** Lists are cut so that the outcome fits into one message; the counts a person acts on are in the first lines anyway. */
const MAX_DAMAGED = 200;
const MAX_NAMED = 20;

export async function verifyJob(context: JobContext, spec: JobSpecOf<'verify'>): Promise<JobResult> {
  const none = { newBytes: 0, storedBytes: 0, skippedBytes: 0 };
  const report = await withJobVault(context, spec.vault, (vault) =>
    vault.verify({
      level: spec.level,
      ...(spec.pointId === null ? {} : { pointId: spec.pointId }),
      signal: context.op.signal,
      onProgress: (doneBytes, totalBytes) => context.op.onProgress?.({ phase: 'verify', doneBytes, totalBytes, ...none }),
    }),
  );
  for (const { object, problem } of report.damaged.slice(0, MAX_DAMAGED)) {
    context.op.onLog?.({ level: 'error', text: `${object}: ${problem}` });
  }
  const checked = `${report.checkedObjects} objects, ${formatBytes(report.checkedBytes)}`;
  say(context, `Checked ${checked}: ${report.damaged.length === 0 ? 'no damage' : `${report.damaged.length} damaged`}.`);
  const damaged = report.damaged.slice(0, MAX_DAMAGED).map(({ object, problem, points, paths }) => ({
    object,
    problem,
    points: points.slice(0, MAX_NAMED),
    paths: paths.slice(0, MAX_NAMED),
  }));
  return { kind: 'verify', checkedBytes: report.checkedBytes, checkedObjects: report.checkedObjects, damaged };
}
