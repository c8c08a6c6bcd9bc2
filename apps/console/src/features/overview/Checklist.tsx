import type { OverviewView } from '@diskfleet/protocol';
import { Check } from 'lucide-react';
import Link from 'next/link';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { cn } from '@/ui/cn';
import { Meter } from '@/ui/Feedback';

/** Stays until all of it is done: the shortest way from nothing to a proven backup. */
export function Checklist({ checklist, pending }: { checklist: OverviewView['checklist']; pending: number }) {
  const items = [
    {
      done: checklist.vault,
      title: 'Create a vault',
      note: 'The folder where restore points are kept',
      label: 'Create vault',
      href: '/storage?new=vault',
    },
    {
      done: checklist.recoveryKit,
      title: 'Download the recovery kit',
      note: 'Opens the vault when this server is gone',
      label: 'Open storage',
      href: '/storage',
    },
    {
      done: checklist.machine,
      title: 'Approve a machine',
      note: pending > 0 && !checklist.machine ? 'One is waiting already' : 'Run one line on a PC',
      label: pending > 0 ? 'Open waiting room' : 'Add machine',
      href: pending > 0 ? '/machines/pending' : '/machines?add=true',
    },
    {
      done: checklist.firstPoint,
      title: 'Make the first restore point',
      note: 'Back up a disk of that machine',
      label: 'Choose machine',
      href: '/machines',
    },
    {
      done: checklist.openedPoint,
      title: 'Open it and take one file out',
      note: 'The best proof that a backup works',
      label: 'Open restore points',
      href: '/points',
    },
  ];
  const done = items.filter((item) => item.done).length;
  const next = items.find((item) => !item.done);
  return (
    <Card>
      <CardHead
        title="First steps"
        note={`${done} of ${items.length} done`}
        action={<Meter label="First steps done" value={done} max={items.length} className="w-28" />}
      />
      <ol className="divide-y divide-line border-line border-t xl:grid xl:grid-cols-5 xl:divide-x xl:divide-y-0">
        {items.map((item, index) => (
          <li key={item.title} className="flex items-center gap-3.5 px-5 py-3 xl:flex-col xl:items-start xl:gap-3 xl:py-5">
            <span
              className={cn(
                'grid size-6 shrink-0 place-items-center rounded-full font-semibold text-xs',
                item.done ? 'bg-ok-soft text-ok' : item === next ? 'bg-accent text-accent-ink' : 'bg-hover text-ink-2',
              )}
            >
              {item.done ? <Check className="size-3.5" strokeWidth={3} aria-label="done" /> : index + 1}
            </span>
            <div className="min-w-0 flex-1">
              <p className={cn('font-medium', item.done ? 'text-ink-3' : 'text-ink')}>{item.title}</p>
              <p className={cn('text-[0.8125rem] text-ink-3', item.done && 'hidden xl:block')}>{item.note}</p>
            </div>
            {item === next && (
              <Button asChild size="sm" look="primary">
                <Link href={item.href}>{item.label}</Link>
              </Button>
            )}
          </li>
        ))}
      </ol>
    </Card>
  );
}
