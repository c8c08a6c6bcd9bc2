import { Activity, GitBranch, Layers, type LucideIcon, Pause, RefreshCw, RotateCcw, TimerOff } from 'lucide-react';
import { formatClock } from '@/format/time';
import { Card, CardHead } from '@/ui/Card';
import { cn } from '@/ui/cn';
import type { Turn } from './turnsOf';

const icons = {
  parent: GitBranch,
  full: Layers,
  counted: Activity,
  pass: RefreshCw,
  held: Pause,
  early: TimerOff,
  restart: RotateCcw,
} as const satisfies Record<Turn['kind'], LucideIcon>;

/** How the run reached one moment of disks in use, in the order it happened. */
export function RunStory({ turns }: { turns: readonly Turn[] }) {
  if (turns.length === 0) return null;
  return (
    <Card>
      <CardHead title="How it went" />
      <ol className="grid gap-3 border-line border-t px-5 py-4">
        {turns.map(({ kind, at, title, detail }, index) => {
          const Icon = icons[kind];
          const loud = kind === 'early' || kind === 'restart';
          return (
            <li key={index} className="flex items-start gap-3">
              <span
                className={cn(
                  'grid size-7 shrink-0 place-items-center rounded-full',
                  loud ? 'bg-warn-soft text-warn' : 'bg-accent-soft text-accent-text',
                )}
              >
                <Icon className="size-3.5" aria-hidden />
              </span>
              <p className="min-w-0 flex-1 pt-0.5">
                <span className="font-medium text-ink">{title}</span> <span className="text-ink-2">{detail}</span>
              </p>
              <time dateTime={at} className="pt-0.5 text-[0.8125rem] text-ink-3">
                {formatClock(at)}
              </time>
            </li>
          );
        })}
      </ol>
    </Card>
  );
}
