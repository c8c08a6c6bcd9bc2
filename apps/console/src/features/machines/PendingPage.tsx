'use client';
import type { MachineSummary } from '@diskfleet/protocol';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Fingerprint, Hourglass, ShieldAlert } from 'lucide-react';
import Link from 'next/link';
import { formatBytes, formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { failureOf } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Card, Fact } from '@/ui/Card';
import { Empty, Note, SkeletonRows } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { Status } from '@/ui/Status';
import { Time } from '@/ui/Time';
import { toast } from '@/ui/Toasts';
import { FailurePanel } from '../errors/FailurePanel';

export function PendingPage() {
  const trpc = useTRPC();
  const pending = useQuery(trpc.machines.list.queryOptions({ state: 'pending' }));
  return (
    <>
      <PageHead
        trail={[{ label: 'Machines', href: '/machines' }]}
        title="Waiting room"
        note="Machines that announced themselves. Nothing is asked of them before you approve."
      />
      {pending.isError && <FailurePanel error={pending.error} onRetry={() => void pending.refetch()} />}
      {pending.isPending && (
        <Card>
          <SkeletonRows rows={3} />
        </Card>
      )}
      <div className="grid gap-4">
        {pending.data?.map((machine) => (
          <PendingMachine key={machine.id} machine={machine} />
        ))}
      </div>
      {pending.data?.length === 0 && (
        <Card>
          <Empty
            icon={Hourglass}
            title="Nobody is waiting"
            action={
              <Button asChild look="primary">
                <Link href="/machines?add=true">Add machine</Link>
              </Button>
            }
          >
            Run the enrol line on a PC; it appears here within seconds.
          </Empty>
        </Card>
      )}
    </>
  );
}

export function PendingMachine({ machine, onApproved }: { machine: MachineSummary; onApproved?: () => void }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const onError = (error: unknown) => {
    const { what, todo } = failureOf(error);
    toast({ tone: 'bad', title: what, note: todo });
  };
  const onSettled = () => queries.invalidateQueries({ queryKey: trpc.machines.pathKey() });
  const approve = useMutation(
    trpc.machines.approve.mutationOptions({
      onError,
      onSettled,
      onSuccess: (view) => {
        toast({ tone: 'ok', title: `${view.name} is approved` });
        onApproved?.();
      },
    }),
  );
  const reject = useMutation(
    trpc.machines.reject.mutationOptions({
      onError,
      onSettled,
      onSuccess: () => toast({ tone: 'info', title: `${machine.name} was turned away` }),
    }),
  );
  return (
    <Card aria-label={machine.name}>
      <div className="flex flex-wrap items-start justify-between gap-4 p-5">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-2">
            <h2 className="font-semibold text-ink text-lg leading-7">{machine.name}</h2>
            <Status name={machine.connection} />
          </div>
          <p className="text-ink-2">
            {[machine.os, formatCount(machine.disks, 'disk'), formatBytes(machine.totalBytes)].join(' · ')}
          </p>
        </div>
        <div className="flex gap-2">
          <Button look="dangerQuiet" busy={reject.isPending} onClick={() => reject.mutate({ id: machine.id })}>
            Reject
          </Button>
          <Button look="primary" busy={approve.isPending} onClick={() => approve.mutate({ id: machine.id })}>
            Approve
          </Button>
        </div>
      </div>
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 border-line border-t px-5 py-4 sm:grid-cols-4">
        <Fact label="Key fingerprint" className="col-span-2">
          <span className="flex items-center gap-2 break-all font-mono text-[0.8125rem]">
            <Fingerprint className="size-4 shrink-0 text-ink-3" aria-hidden />
            {machine.keyFingerprint}
          </span>
        </Fact>
        <Fact label="Host name">{machine.hostname}</Fact>
        <Fact label="Seen">{machine.lastSeenAt ? <Time iso={machine.lastSeenAt} /> : 'not yet'}</Fact>
      </dl>
      {machine.limitation && (
        <Note icon={ShieldAlert} className="mx-5 mb-5">
          {machine.limitation}
        </Note>
      )}
    </Card>
  );
}
