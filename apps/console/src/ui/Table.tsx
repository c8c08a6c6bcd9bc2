import type { ComponentProps, ReactNode } from 'react';
import { cn } from './cn';

/** A plain table that scrolls sideways inside its card when the screen is narrow. */
export function Table({ label, children, className }: { label: string; children: ReactNode; className?: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className="relative overflow-x-auto" aria-label={label} tabIndex={0}>
      <table className={cn('w-full border-collapse text-left', className)}>{children}</table>
    </section>
  );
}

export function Th({ className, ...props }: ComponentProps<'th'>) {
  return (
    <th
      scope="col"
      className={cn(
        'h-9 whitespace-nowrap border-line border-b bg-sunken/60 px-3 font-medium text-[0.8125rem] text-ink-3 first:pl-5 last:pr-5',
        className,
      )}
      {...props}
    />
  );
}

export function Td({ className, ...props }: ComponentProps<'td'>) {
  return (
    <td
      className={cn('h-13 border-line border-b px-3 py-2 align-middle first:pl-5 last:pr-5 group-last:border-b-0', className)}
      {...props}
    />
  );
}

export function Tr({ className, ...props }: ComponentProps<'tr'>) {
  return <tr className={cn('group relative transition-colors hover:bg-sunken', className)} {...props} />;
}

/** A link in the first cell whose hit area is the whole row (the row must be `relative`). */
export const rowLink = 'font-medium text-ink outline-offset-[-2px] after:absolute after:inset-0 hover:text-accent-text';
