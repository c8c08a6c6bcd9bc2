'use client';
import type { MachineView } from '@diskfleet/protocol';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { DatabaseBackup, RefreshCw, ShieldAlert } from 'lucide-react';
import Link from 'next/link';
import { parseAsBoolean, parseAsStringLiteral, useQueryState } from 'nuqs';
import { useTRPC } from '@/trpc/client';
import { failureOf } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Note, SkeletonPage } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { Status } from '@/ui/Status';
import { TabPanel, Tabs } from '@/ui/Tabs';
import { Time } from '@/ui/Time';
import { toast } from '@/ui/Toasts';
import { BackupDialog } from '../backup/BackupDialog';
import { FailurePanel } from '../errors/FailurePanel';
import { MachineDanger } from './MachineDanger';
import { MachineDisks } from './MachineDisks';
import { MachineHardware } from './MachineHardware';
import { MachineJobs, MachinePoints } from './MachineLists';
import { MachineOverview } from './MachineOverview';
import { PendingMachine } from './PendingPage';

const tabs = ['overview', 'disks', 'points', 'jobs', 'hardware', 'danger'] as const;

export function MachinePage({ id }: { id: string }) {
  const trpc = useTRPC();
  const machine = useQuery(trpc.machines.get.queryOptions({ id }));
  const [tab, setTab] = useQueryState('tab', parseAsStringLiteral(tabs).withDefault('overview'));
  const [backup, setBackup] = useQueryState('backup', parseAsBoolean.withDefault(false));
  if (machine.isPending) return <SkeletonPage />;
  if (machine.isError) return <FailurePanel error={machine.error} onRetry={() => void machine.refetch()} />;
  const view = machine.data;
  if (view.state === 'pending') {
    return (
      <>
        <PageHead
          trail={[
            { label: 'Machines', href: '/machines' },
            { label: 'Waiting room', href: '/machines/pending' },
          ]}
          title={view.name}
          badge={<Status name="pending" />}
        />
        <PendingMachine machine={view} />
      </>
    );
  }
  return (
    <>
      <PageHead
        trail={[{ label: 'Machines', href: '/machines' }]}
        title={view.name}
        badge={
          <>
            {view.state === 'approved' ? <Status name={view.protection} /> : <Status name={view.state} />}
            <Status name={view.connection} />
          </>
        }
        note={<MachineNote machine={view} />}
        action={
          <>
            <RefreshButton machine={view} />
            <Button look="primary" disabled={view.state !== 'approved'} onClick={() => void setBackup(true)}>
              <DatabaseBackup aria-hidden />
              Back up now
            </Button>
          </>
        }
      />
      {view.limitation && (
        <Note tone="warn" icon={ShieldAlert} className="mb-6" title="This agent is limited">
          {view.limitation}
        </Note>
      )}
      <Tabs
        label="Machine"
        value={tab}
        onChange={(next) => void setTab(next)}
        tabs={[
          { value: 'overview', label: 'Overview' },
          { value: 'disks', label: 'Disks', count: view.disks },
          { value: 'points', label: 'Restore points' },
          { value: 'jobs', label: 'Jobs' },
          { value: 'hardware', label: 'Hardware' },
          { value: 'danger', label: 'Danger' },
        ]}
      >
        <TabPanel value="overview">
          <MachineOverview machine={view} onShowDisks={() => void setTab('disks')} />
        </TabPanel>
        <TabPanel value="disks">
          <MachineDisks machine={view} />
        </TabPanel>
        <TabPanel value="points">
          <MachinePoints machineId={id} />
        </TabPanel>
        <TabPanel value="jobs">
          <MachineJobs machineId={id} />
        </TabPanel>
        <TabPanel value="hardware">
          <MachineHardware machine={view} />
        </TabPanel>
        <TabPanel value="danger">
          <MachineDanger machine={view} />
        </TabPanel>
      </Tabs>
      {backup && <BackupDialog machine={view} open onOpenChange={(open) => void setBackup(open)} />}
    </>
  );
}

function MachineNote({ machine }: { machine: MachineView }) {
  return (
    <>
      {machine.os} · {machine.hostname}
      {machine.connection === 'offline' && machine.lastSeenAt && (
        <>
          {' · last seen '}
          <Time iso={machine.lastSeenAt} />
        </>
      )}
      {machine.newestPointAt && (
        <>
          {' · '}
          <Link href="?tab=points" className="hover:underline">
            newest restore point <Time iso={machine.newestPointAt} />
          </Link>
        </>
      )}
    </>
  );
}

function RefreshButton({ machine }: { machine: MachineView }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const refresh = useMutation(
    trpc.machines.refresh.mutationOptions({
      onSuccess: (fresh) => {
        queries.setQueryData(trpc.machines.get.queryKey({ id: machine.id }), fresh);
        toast({ tone: 'ok', title: 'The inventory is fresh' });
      },
      onError: (error) => {
        const { what, todo } = failureOf(error);
        toast({ tone: 'bad', title: what, note: todo });
      },
    }),
  );
  return (
    <Button
      busy={refresh.isPending}
      disabled={machine.connection === 'offline'}
      onClick={() => refresh.mutate({ id: machine.id })}
    >
      {!refresh.isPending && <RefreshCw aria-hidden />}
      Refresh
    </Button>
  );
}
