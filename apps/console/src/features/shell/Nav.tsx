'use client';
import { useQuery } from '@tanstack/react-query';
import { Activity, Archive, Gauge, History, type LucideIcon, MonitorCog, RotateCcw, Server, Settings } from 'lucide-react';
import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { useTRPC } from '@/trpc/client';
import { cn } from '@/ui/cn';

interface Entry {
  readonly href: string;
  readonly label: string;
  readonly icon: LucideIcon;
  /** Paths that belong to this entry besides its own. */
  readonly also?: readonly string[];
}

const places: readonly Entry[] = [
  { href: '/', label: 'Overview', icon: Gauge },
  { href: '/machines', label: 'Machines', icon: MonitorCog },
  { href: '/points', label: 'Restore points', icon: Archive, also: ['/explore'] },
  { href: '/restore', label: 'Restore', icon: RotateCcw },
  { href: '/jobs', label: 'Jobs', icon: Activity },
  { href: '/storage', label: 'Storage', icon: Server },
];
const backOffice: readonly Entry[] = [
  { href: '/activity', label: 'Activity', icon: History },
  { href: '/settings', label: 'Settings', icon: Settings },
];

export function Nav() {
  const trpc = useTRPC();
  const pending = useQuery(trpc.machines.list.queryOptions({ state: 'pending' }));
  const waiting = pending.data?.length ?? 0;
  return (
    <nav aria-label="Main" className="flex flex-1 flex-col gap-6 overflow-y-auto px-3 py-2">
      <ul className="grid gap-0.5">
        {places.map((entry) => (
          <NavLink key={entry.href} entry={entry} count={entry.href === '/machines' ? waiting : 0} />
        ))}
      </ul>
      <ul className="mt-auto grid gap-0.5 pb-3">
        {backOffice.map((entry) => (
          <NavLink key={entry.href} entry={entry} count={0} />
        ))}
      </ul>
    </nav>
  );
}

function NavLink({ entry, count }: { entry: Entry; count: number }) {
  const pathname = usePathname();
  const here = [entry.href, ...(entry.also ?? [])].some((path) =>
    path === '/' ? pathname === '/' : pathname === path || pathname.startsWith(`${path}/`),
  );
  return (
    <li>
      <Link
        href={entry.href}
        aria-current={here ? 'page' : undefined}
        className={cn(
          'flex h-9 items-center gap-3 rounded-lg px-2.5 font-medium text-ink-2 transition-colors hover:bg-hover hover:text-ink',
          here && 'bg-surface text-ink shadow-card ring-1 ring-line hover:bg-surface dark:bg-hover',
        )}
      >
        <entry.icon className={cn('size-[18px]', here ? 'text-accent-text' : 'text-ink-3')} strokeWidth={1.8} aria-hidden />
        {entry.label}
        {count > 0 && (
          <span className="ml-auto rounded-full bg-accent px-1.5 text-2xs text-accent-ink leading-[1.125rem]">
            {count}
            <span className="sr-only"> waiting for approval</span>
          </span>
        )}
      </Link>
    </li>
  );
}
