import type { ReactNode } from 'react';
import { Brand } from '@/ui/Brand';

/** The frame of sign-in and set-up: the product's name, one card, nothing else. */
export function EntryFrame({
  title,
  note,
  children,
  wide = false,
}: {
  title: string;
  note?: ReactNode;
  children: ReactNode;
  wide?: boolean;
}) {
  return (
    <div className="flex min-h-dvh flex-col items-center bg-[radial-gradient(60rem_30rem_at_50%_-10rem,var(--accent-soft),transparent)] px-4 py-10 sm:py-16">
      <header>
        <Brand />
      </header>
      <main className={`mt-8 w-full ${wide ? 'max-w-2xl' : 'max-w-md'}`}>
        <div className="rounded-2xl border border-line bg-surface p-6 shadow-high sm:p-8 dark:shadow-none">
          <h1 className="font-semibold text-ink text-xl leading-7 tracking-[-0.01em]">{title}</h1>
          {note !== undefined && <div className="mt-1 text-ink-2">{note}</div>}
          <div className="mt-6">{children}</div>
        </div>
      </main>
    </div>
  );
}
