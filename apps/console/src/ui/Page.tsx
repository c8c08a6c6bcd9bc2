import { ChevronRight } from 'lucide-react';
import Link from 'next/link';
import type { ReactNode } from 'react';

interface PageHeadProps {
  readonly title: ReactNode;
  readonly note?: ReactNode;
  readonly trail?: readonly { readonly label: string; readonly href: string }[];
  readonly badge?: ReactNode;
  readonly action?: ReactNode;
}

export function PageHead({ title, note, trail = [], badge, action }: PageHeadProps) {
  return (
    <header className="mb-6">
      {trail.length > 0 && (
        <nav aria-label="Breadcrumb" className="mb-2">
          <ol className="flex flex-wrap items-center gap-1 text-[0.8125rem] text-ink-3">
            {trail.map((crumb) => (
              <li key={crumb.href} className="flex items-center gap-1">
                <Link href={crumb.href} className="rounded py-0.5 hover:text-ink hover:underline">
                  {crumb.label}
                </Link>
                <ChevronRight className="size-3.5" aria-hidden />
              </li>
            ))}
          </ol>
        </nav>
      )}
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
            <h1 className="break-words font-semibold text-2xl text-ink leading-8 tracking-[-0.015em]">{title}</h1>
            {badge}
          </div>
          {note !== undefined && <div className="mt-1 text-ink-2">{note}</div>}
        </div>
        {action !== undefined && <div className="flex flex-wrap items-center gap-2">{action}</div>}
      </div>
    </header>
  );
}
