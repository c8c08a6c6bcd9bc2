import type { ComponentProps, ReactNode } from 'react';
import { cn } from './cn';

export function Card({ className, ...props }: ComponentProps<'section'>) {
  return <section className={cn('rounded-xl border border-line bg-surface shadow-card', className)} {...props} />;
}

interface CardHeadProps {
  readonly title: ReactNode;
  readonly note?: ReactNode;
  readonly action?: ReactNode;
  readonly className?: string;
  readonly id?: string;
}

export function CardHead({ title, note, action, className, id }: CardHeadProps) {
  return (
    <header className={cn('flex min-h-13 flex-wrap items-center justify-between gap-x-4 gap-y-2 px-5 py-3', className)}>
      <div className="min-w-0">
        <h2 id={id} className="font-semibold text-[0.9375rem] text-ink leading-6">
          {title}
        </h2>
        {note !== undefined && <p className="text-[0.8125rem] text-ink-3">{note}</p>}
      </div>
      {action !== undefined && <div className="flex items-center gap-2">{action}</div>}
    </header>
  );
}

/** Label above value, for facts in a grid. */
export function Fact({ label, children, className }: { label: string; children: ReactNode; className?: string }) {
  return (
    <div className={cn('min-w-0', className)}>
      <dt className="text-[0.8125rem] text-ink-3">{label}</dt>
      <dd className="mt-0.5 break-words text-ink">{children}</dd>
    </div>
  );
}
