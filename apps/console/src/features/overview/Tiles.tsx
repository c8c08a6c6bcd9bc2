import type { OverviewView } from '@diskfleet/protocol';
import { AlertTriangle, Clock, type LucideIcon, OctagonAlert, ShieldCheck, WifiOff } from 'lucide-react';
import Link from 'next/link';
import { cn } from '@/ui/cn';

interface Tile {
  readonly label: string;
  readonly count: number;
  readonly href: string;
  readonly icon: LucideIcon;
  /** Colour only when there is something to say. */
  readonly tone: string;
}

export function Tiles({ counts }: { counts: OverviewView['counts'] }) {
  const tiles: Tile[] = [
    { label: 'Protected', count: counts.protected, href: '/machines?state=protected', icon: ShieldCheck, tone: 'text-ok' },
    { label: 'At risk', count: counts.atRisk, href: '/machines?state=at-risk', icon: AlertTriangle, tone: 'text-warn' },
    { label: 'Overdue', count: counts.overdue, href: '/machines?state=overdue', icon: Clock, tone: 'text-late' },
    { label: 'Never backed up', count: counts.never, href: '/machines?state=never', icon: OctagonAlert, tone: 'text-bad' },
    { label: 'Offline', count: counts.offline, href: '/machines?state=offline', icon: WifiOff, tone: 'text-ink-2' },
  ];
  return (
    <ul
      aria-label="Machines by state"
      className="grid grid-cols-2 gap-px overflow-hidden rounded-xl border border-line bg-line shadow-card sm:grid-cols-3 lg:grid-cols-5"
    >
      {tiles.map((tile) => (
        <li key={tile.label} className="first:col-span-2 sm:first:col-span-1">
          <Link
            href={tile.href}
            className="flex h-full items-start justify-between gap-3 bg-surface px-5 py-4 outline-offset-[-3px] transition-colors hover:bg-sunken"
          >
            <span>
              <span
                className={cn(
                  'block font-semibold proportional-nums text-[1.75rem] leading-9 tracking-[-0.02em]',
                  tile.count === 0 ? 'text-ink-3' : 'text-ink',
                )}
              >
                {tile.count}
              </span>
              <span className="block text-ink-2">{tile.label}</span>
            </span>
            <tile.icon
              className={cn('mt-1.5 size-5', tile.count === 0 ? 'text-ink-3/60' : tile.tone)}
              strokeWidth={1.8}
              aria-hidden
            />
          </Link>
        </li>
      ))}
    </ul>
  );
}
