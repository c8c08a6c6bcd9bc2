import type { OverviewView } from '@diskfleet/protocol';
import { Server } from 'lucide-react';
import Link from 'next/link';
import { formatBytes, formatCount } from '@/format/bytes';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { Empty, Meter } from '@/ui/Feedback';

export function StorageCard({ storage }: { storage: OverviewView['storage'] }) {
  const { storedBytes, protectedBytes, freeBytes, daysUntilFull, vaults } = storage;
  if (vaults === 0) {
    return (
      <Card>
        <CardHead title="Storage" />
        <Empty
          icon={Server}
          title="No vault yet"
          className="border-line border-t py-10"
          action={
            <Button asChild look="primary">
              <Link href="/storage?new=vault">Create vault</Link>
            </Button>
          }
        >
          Backups need a place to go.
        </Empty>
      </Card>
    );
  }
  const factor = storedBytes > 0 ? protectedBytes / storedBytes : null;
  const nearlyFull = daysUntilFull !== null && daysUntilFull < 14;
  return (
    <Card>
      <CardHead
        title="Storage"
        action={
          <Button asChild size="sm" look="ghost">
            <Link href="/storage">{formatCount(vaults, 'vault')}</Link>
          </Button>
        }
      />
      <div className="grid gap-5 border-line border-t px-5 py-5">
        <div>
          <p className="font-semibold proportional-nums text-[1.75rem] text-ink leading-9 tracking-[-0.02em]">
            {formatBytes(storedBytes)}
          </p>
          <p className="text-ink-2">stored for {formatBytes(protectedBytes)} of protected data</p>
        </div>
        {freeBytes !== null && (
          <div>
            <Meter
              label="Vault space in use"
              value={storedBytes}
              max={storedBytes + freeBytes}
              tone={nearlyFull ? 'bad' : 'accent'}
            />
            <p className="mt-2 text-[0.8125rem] text-ink-3">{formatBytes(freeBytes)} free</p>
          </div>
        )}
        <dl className="grid grid-cols-2 gap-4">
          <div>
            <dt className="text-[0.8125rem] text-ink-3">Days until full</dt>
            <dd className={nearlyFull ? 'font-semibold text-bad' : 'text-ink'}>
              {daysUntilFull === null ? 'not foreseeable yet' : `about ${Math.round(daysUntilFull)}`}
            </dd>
          </div>
          <div>
            <dt className="text-[0.8125rem] text-ink-3">Saved by dedup and compression</dt>
            <dd className="text-ink">{factor === null || factor <= 1 ? '–' : `${factor.toFixed(1)} × smaller`}</dd>
          </div>
        </dl>
      </div>
    </Card>
  );
}
