import type { JobView } from '@diskfleet/protocol';
import { Check } from 'lucide-react';
import { cn } from '@/ui/cn';
import { phaseName, phasesOf } from './jobWords';

/** Where a running job stands among the phases of its kind. */
export function PhaseRail({ job }: { job: Pick<JobView, 'kind' | 'state' | 'progress'> }) {
  const { phases, current } = phasesOf(job.kind, job.progress?.phase ?? null);
  return (
    <ol aria-label="Phases" className="flex flex-wrap gap-x-2 gap-y-1 text-[0.8125rem]">
      {phases.map((phase, index) => (
        <li
          key={phase}
          aria-current={index === current ? 'step' : undefined}
          className={cn(
            'flex items-center gap-1.5',
            index === current ? 'font-semibold text-ink' : index < current ? 'text-ink-2' : 'text-ink-3',
          )}
        >
          {index > 0 && <span className="mr-0.5 h-px w-5 bg-line-strong" aria-hidden />}
          {index < current ? (
            <Check className="size-3.5 text-ok" aria-label="done" />
          ) : (
            <span
              className={cn('size-2 rounded-full', index === current ? 'bg-accent' : 'border border-line-strong')}
              aria-hidden
            />
          )}
          {phaseName(phase)}
        </li>
      ))}
    </ol>
  );
}
