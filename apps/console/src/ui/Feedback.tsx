import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from './cn';

interface EmptyProps {
  readonly icon: LucideIcon;
  readonly title: string;
  readonly children: ReactNode;
  readonly action?: ReactNode;
  readonly className?: string;
  /** When it is the whole page. */
  readonly heading?: 'h1' | 'h3';
}

/** An empty place says what belongs there and how to fill it. */
export function Empty({ icon: Icon, title, children, action, className, heading: Heading = 'h3' }: EmptyProps) {
  return (
    <div className={cn('flex flex-col items-center px-6 py-14 text-center', className)}>
      <span className="mb-4 grid size-12 place-items-center rounded-2xl border border-line bg-sunken text-ink-3">
        <Icon className="size-6" strokeWidth={1.6} aria-hidden />
      </span>
      <Heading className="font-semibold text-[0.9375rem] text-ink">{title}</Heading>
      <div className="mt-1 max-w-md text-balance text-ink-2">{children}</div>
      {action !== undefined && <div className="mt-5 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

export function SkeletonRows({ rows = 5, label = 'Loading' }: { rows?: number; label?: string }) {
  return (
    <div role="status" aria-label={label} className="grid gap-4 px-5 py-4">
      {Array.from({ length: rows }, (_, row) => `row-${row}`).map((key) => (
        <div key={key} className="flex items-center gap-4">
          <div className="skeleton h-4 w-1/4" />
          <div className="skeleton h-4 w-1/3" />
          <div className="skeleton ml-auto h-4 w-16" />
        </div>
      ))}
    </div>
  );
}

export function SkeletonPage() {
  return (
    <div role="status" aria-label="Loading the page" className="grid gap-6">
      <div className="grid gap-2">
        <div className="skeleton h-7 w-56" />
        <div className="skeleton h-4 w-80 max-w-full" />
      </div>
      <div className="skeleton h-40 w-full rounded-xl" />
      <div className="skeleton h-72 w-full rounded-xl" />
    </div>
  );
}

interface MeterProps {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  readonly tone?: 'accent' | 'warn' | 'bad';
  readonly className?: string;
}

const meterTones = { accent: 'bg-accent', warn: 'bg-warn', bad: 'bg-bad' } as const;

export function Meter({ label, value, max, tone = 'accent', className }: MeterProps) {
  const percent = max > 0 ? Math.min(100, Math.max(0, (value / max) * 100)) : 0;
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(percent)}
      className={cn('h-2 w-full overflow-hidden rounded-full bg-hover', className)}
    >
      <div
        className={cn('h-full rounded-full transition-[width] duration-500 ease-out', meterTones[tone])}
        style={{ width: `${percent}%` }}
      />
    </div>
  );
}

interface NoteProps {
  readonly tone?: 'info' | 'warn' | 'bad' | 'ok';
  readonly icon: LucideIcon;
  readonly title?: string;
  readonly children: ReactNode;
  readonly className?: string;
  readonly action?: ReactNode;
}

const noteTones = {
  info: 'border-line bg-sunken [&>svg]:text-accent-text',
  ok: 'border-ok/25 bg-ok-soft [&>svg]:text-ok',
  warn: 'border-warn/30 bg-warn-soft [&>svg]:text-warn',
  bad: 'border-bad/30 bg-bad-soft [&>svg]:text-bad',
} as const;

export function Note({ tone = 'info', icon: Icon, title, children, className, action }: NoteProps) {
  return (
    <div className={cn('flex items-start gap-3 rounded-xl border p-4', noteTones[tone], className)}>
      <Icon className="mt-0.5 size-[18px] shrink-0" aria-hidden />
      <div className="min-w-0 flex-1">
        {title !== undefined && <p className="font-semibold text-ink">{title}</p>}
        <div className="text-ink-2">{children}</div>
      </div>
      {action}
    </div>
  );
}
