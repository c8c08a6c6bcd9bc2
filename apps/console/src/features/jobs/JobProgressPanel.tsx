'use client';
import type { JobView } from '@diskfleet/protocol';
import { Power, PowerOff, WifiOff } from 'lucide-react';
import { formatBytes, formatRate, formatShare } from '@/format/bytes';
import { formatEta } from '@/format/time';
import { cn } from '@/ui/cn';
import { Meter } from '@/ui/Feedback';
import { phaseName, powerAdvice } from './jobWords';

/** Where a job is: phase, bytes, rate, what is left, and whether the PC may be switched off. */
export function JobProgressPanel({ job, className }: { job: JobView; className?: string }) {
  const { progress } = job;
  const advice = powerAdvice(job.kind, job.state);
  const title = progress ? phaseName(progress.phase) : job.state === 'queued' ? 'Waiting for the PC' : 'Starting';
  const facts: [string, string][] = progress
    ? [
        [job.kind === 'backup' ? 'Scanned' : 'Done', `${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)}`],
        ...(job.kind === 'backup'
          ? ([
              ['New', formatBytes(progress.newBytes)],
              ['Stored', formatBytes(progress.storedBytes)],
            ] satisfies [string, string][])
          : []),
        ['Speed', formatRate(progress.bytesPerSecond)],
      ]
    : [];
  return (
    <div className={cn('grid gap-3', className)}>
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <p className="font-medium text-ink" aria-live="polite">
          {title}
        </p>
        <p className="text-ink-2">
          {progress && progress.totalBytes > 0 && (
            <>
              <span className="font-semibold text-ink">{formatShare(progress.doneBytes, progress.totalBytes)}</span>
              <span className="text-ink-3"> · {formatEta(progress.etaSeconds)}</span>
            </>
          )}
        </p>
      </div>
      <Meter label={`Progress of ${job.subject}`} value={progress?.doneBytes ?? 0} max={progress?.totalBytes ?? 0} />
      {facts.length > 0 && (
        <dl className="flex flex-wrap gap-x-8 gap-y-2">
          {facts.map(([label, value]) => (
            <div key={label}>
              <dt className="text-ink-3 text-xs">{label}</dt>
              <dd className="min-w-16 text-ink">{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {job.lostContact ? (
        <p className="flex items-start gap-2 text-late">
          <WifiOff className="mt-0.5 size-4 shrink-0" aria-hidden />
          No contact with the PC. The job goes on there if it can, and its outcome arrives when the PC is back.
        </p>
      ) : (
        <p className={cn('flex items-start gap-2', advice.safe ? 'text-ink-2' : 'font-medium text-bad')}>
          {advice.safe ? (
            <Power className="mt-0.5 size-4 shrink-0" aria-hidden />
          ) : (
            <PowerOff className="mt-0.5 size-4 shrink-0" aria-hidden />
          )}
          {advice.text}
        </p>
      )}
    </div>
  );
}
