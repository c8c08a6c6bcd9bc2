import type { OverviewView } from '@diskfleet/protocol';
import { AlertTriangle, Check, Clock, type LucideIcon, Minus, X } from 'lucide-react';
import { formatCount } from '@/format/bytes';
import { cn } from '@/ui/cn';

type Day = OverviewView['days'][number];

/** Five states, each with its colour, shape and word. */
const states = {
  ok: { text: 'ok', icon: Check, look: 'bg-ok-soft text-ok' },
  warning: { text: 'with warnings', icon: AlertTriangle, look: 'bg-warn-soft text-warn' },
  failed: { text: 'failed', icon: X, look: 'bg-bad-soft text-bad ring-1 ring-bad/40 ring-inset' },
  overdue: { text: 'overdue', icon: Clock, look: 'bg-late-soft text-late ring-1 ring-late/40 ring-inset' },
  none: { text: 'nothing expected', icon: Minus, look: 'bg-hover text-ink-3' },
} as const satisfies Record<Day['state'], { text: string; icon: LucideIcon; look: string }>;

export function DayStrip({ days }: { days: OverviewView['days'] }) {
  return (
    <div className="border-line border-t px-5 py-5">
      <ol className="flex gap-1 overflow-x-auto pb-1" aria-label="Backups per day, oldest first">
        {days.map((day, index) => {
          const { icon: Icon, look } = states[day.state];
          const label = describe(day);
          return (
            <li
              key={day.day}
              title={label}
              className={cn('relative min-w-5 flex-1', index < days.length - 12 && 'hidden sm:block')}
            >
              <span className={cn('flex h-11 items-center justify-center rounded-md', look)}>
                <Icon className="size-3.5" strokeWidth={2.4} aria-hidden />
                <span className="sr-only">{label}</span>
              </span>
            </li>
          );
        })}
      </ol>
      <div className="mt-2 flex flex-wrap items-center justify-between gap-x-6 gap-y-2 text-ink-3 text-xs">
        <span className="hidden sm:inline">{days[0]?.day}</span>
        <ul className="flex flex-wrap gap-x-4 gap-y-1" aria-label="Meaning of the signs">
          {Object.values(states).map(({ text, icon: Icon, look }) => (
            <li key={text} className="flex items-center gap-1.5">
              <span className={cn('grid size-4 place-items-center rounded', look)}>
                <Icon className="size-2.5" strokeWidth={2.6} aria-hidden />
              </span>
              {text}
            </li>
          ))}
        </ul>
        <span className="hidden sm:inline">today</span>
      </div>
    </div>
  );
}

function describe(day: Day): string {
  const parts = [day.day, states[day.state].text];
  if (day.points > 0) parts.push(formatCount(day.points, 'restore point'));
  if (day.failed > 0) parts.push(`${day.failed} failed`);
  return parts.join(', ');
}
