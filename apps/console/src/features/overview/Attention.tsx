import type { OverviewView } from '@diskfleet/protocol';
import { AlertTriangle, Clock, Hourglass, type LucideIcon, OctagonAlert, Server, ShieldCheck, WifiOff } from 'lucide-react';
import Link from 'next/link';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { cn } from '@/ui/cn';
import { Empty } from '@/ui/Feedback';

type Item = OverviewView['attention'][number];

const looks = {
  failed: { icon: OctagonAlert, tone: 'bg-bad-soft text-bad' },
  never: { icon: OctagonAlert, tone: 'bg-bad-soft text-bad' },
  overdue: { icon: Clock, tone: 'bg-late-soft text-late' },
  'at-risk': { icon: AlertTriangle, tone: 'bg-warn-soft text-warn' },
  vault: { icon: Server, tone: 'bg-warn-soft text-warn' },
  offline: { icon: WifiOff, tone: 'bg-hover text-ink-2' },
  pending: { icon: Hourglass, tone: 'bg-accent-soft text-accent-text' },
} as const satisfies Record<Item['kind'], { icon: LucideIcon; tone: string }>;

/** What needs a person, with the one thing to do about each. */
export function Attention({ items, counts }: { items: OverviewView['attention']; counts: OverviewView['counts'] }) {
  return (
    <Card>
      <CardHead title="Needs attention" />
      {items.length === 0 ? (
        <Empty icon={ShieldCheck} title="Nothing needs you" className="border-line border-t py-10">
          {counts.total === 0
            ? 'Once there are machines, whatever goes wrong with their backups is listed here.'
            : 'Failures, overdue backups, full vaults and silent machines would be listed here.'}
        </Empty>
      ) : (
        <ul className="divide-y divide-line border-line border-t">
          {items.map((item) => (
            <AttentionItem key={`${item.kind}-${item.text}`} item={item} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function AttentionItem({ item }: { item: Item }) {
  const look = looks[item.kind];
  const action = actionOf(item);
  return (
    <li className="flex items-center gap-3.5 px-5 py-3">
      <span className={cn('grid size-8 shrink-0 place-items-center rounded-lg', look.tone)}>
        <look.icon className="size-4" aria-hidden />
      </span>
      <p className="min-w-0 flex-1 break-words text-ink">{item.text}</p>
      <Button asChild size="sm">
        <Link href={action.href}>{action.label}</Link>
      </Button>
    </li>
  );
}

function actionOf(item: Item): { label: string; href: string } {
  if (item.kind === 'pending') return { label: 'Review', href: '/machines/pending' };
  if (item.kind === 'vault') return { label: 'Open storage', href: '/storage' };
  if (item.kind === 'failed' && item.jobId) return { label: 'Open job', href: `/jobs/${item.jobId}` };
  if (!item.machineId) return { label: 'Open machines', href: '/machines' };
  if (item.kind === 'never' || item.kind === 'overdue')
    return { label: 'Back up', href: `/machines/${item.machineId}?backup=true` };
  return { label: 'Open', href: `/machines/${item.machineId}` };
}
