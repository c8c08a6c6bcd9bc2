'use client';
import { useQuery } from '@tanstack/react-query';
import { ArrowRight, DatabaseBackup, Radar } from 'lucide-react';
import Link from 'next/link';
import { LiveEvents } from '@/live/LiveEvents';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { DiskMap } from '../diskMap/DiskMap';
import { FailurePanel } from '../errors/FailurePanel';
import { PendingMachine } from '../machines/PendingPage';

export function MachineStep() {
  const trpc = useTRPC();
  const machines = useQuery(trpc.machines.list.queryOptions({ state: 'all' }, { refetchInterval: 3000 }));
  const pending = machines.data?.filter((machine) => machine.state === 'pending') ?? [];
  const approved = machines.data?.filter((machine) => machine.state === 'approved') ?? [];
  const first = approved[0];
  return (
    <div className="grid gap-5">
      <LiveEvents />
      {machines.isError && <FailurePanel error={machines.error} onRetry={() => void machines.refetch()} />}
      {pending.length === 0 && approved.length === 0 && (
        <div
          role="status"
          className="flex flex-col items-center gap-3 rounded-xl border border-line border-dashed px-6 py-10 text-center"
        >
          <Radar className="size-8 text-accent-text motion-safe:animate-pulse" strokeWidth={1.5} aria-hidden />
          <p className="font-medium text-ink">Waiting for your first machine…</p>
          <p className="max-w-sm text-ink-2">
            The agent of this PC starts with the server and appears here by itself, usually within seconds.
          </p>
        </div>
      )}
      {pending.map((machine) => (
        <PendingMachine key={machine.id} machine={machine} />
      ))}
      {first && <ApprovedMachine id={first.id} />}
      <div className="flex justify-end">
        <Button asChild look="ghost">
          <Link href="/">
            {first ? 'Go to the overview' : 'Do this later'}
            <ArrowRight aria-hidden />
          </Link>
        </Button>
      </div>
    </div>
  );
}

function ApprovedMachine({ id }: { id: string }) {
  const trpc = useTRPC();
  const machine = useQuery(trpc.machines.get.queryOptions({ id }));
  if (!machine.data) return null;
  const { name, inventory } = machine.data;
  return (
    <Card className="grid gap-5 p-5">
      {inventory.disks.slice(0, 2).map((disk) => (
        <DiskMap key={disk.key} disk={disk} compact />
      ))}
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="text-ink-2">
          <span className="font-semibold text-ink">{name}</span> is ready to be backed up.
        </p>
        <Button asChild look="primary">
          <Link href={`/machines/${id}?backup=true`}>
            <DatabaseBackup aria-hidden />
            Protect it
          </Link>
        </Button>
      </div>
    </Card>
  );
}
