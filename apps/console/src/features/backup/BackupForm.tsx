'use client';
import type { MachineView } from '@diskfleet/protocol';
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query';
import { AlertTriangle, Info, OctagonAlert, ServerCog } from 'lucide-react';
import Link from 'next/link';
import { type FormEvent, useId, useState } from 'react';
import { formatBytes, formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { Empty, Note } from '@/ui/Feedback';
import { Field, NativeSelect } from '@/ui/Field';
import { FailurePanel } from '../errors/FailurePanel';
import { KindChoice, type Method, MethodChoice } from './BackupChoices';
import { BackupMaps } from './BackupMaps';
import { BackupOptionFields } from './BackupOptionFields';
import { type Choice, chosenDisks, firstChoice, type Taking, takingOf, tickedFirst } from './choice';
import { effectiveOptions, firstOptions } from './options';

export interface BackupFormProps {
  readonly machine: MachineView;
  /** Ticked at first; without it: every disk that holds something and is not removable. */
  readonly diskKeys?: readonly string[] | undefined;
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly onStarted: (jobId: string) => void;
}

/** What, how, where to: and on the map of every disk, before it starts, what will be in the restore point and what will not. */
export function BackupForm({ machine, diskKeys, open, onOpenChange, onStarted }: BackupFormProps) {
  const trpc = useTRPC();
  const formId = useId();
  const vaults = useQuery(trpc.vaults.list.queryOptions());
  const [first] = useState(() => firstChoice(machine.inventory.disks, diskKeys));
  const [choice, setChoice] = useState<Choice>(first);
  // By the first choice only: a disk must not jump away under the hand that ticks it.
  const disks = tickedFirst(machine.inventory.disks, first);
  const [method, setMethod] = useState<Method>('incremental');
  const [wishes, setWishes] = useState(firstOptions);
  const [vaultId, setVaultId] = useState<string | null>(null);
  const vault = vaults.data?.find((candidate) => candidate.id === vaultId) ?? vaults.data?.[0];
  const chosen = chosenDisks(choice, disks);
  const what = { machineId: machine.id, backupKind: choice.kind, ...(choice.kind === 'system' ? {} : { disks: chosen }) };
  const hasChoice = choice.kind === 'system' || chosen.length > 0;
  const plan = useQuery(
    trpc.jobs.planBackup.queryOptions(what, { enabled: hasChoice, placeholderData: keepPreviousData, staleTime: 30_000 }),
  );
  const current = hasChoice && plan.data?.backupKind === choice.kind ? plan.data : null;
  const options = effectiveOptions(wishes, method);
  const taking = takingOf({
    disks,
    choice,
    system: choice.kind === 'system' ? current : null,
    options: { sectorBySector: options.sectorBySector, leaveOutSwap: options.leaveOut.has('swap') },
  });
  const start = useMutation(trpc.jobs.backupNow.mutationOptions({ onSuccess: (job) => onStarted(job.id) }));
  const ready = vault !== undefined && taking.takenDisks > 0 && current?.problem === null && !plan.isPlaceholderData;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!ready) return;
    const { leaveOut, cutter, ...rest } = options;
    start.mutate({
      ...what,
      vaultId: vault.id,
      method,
      ...rest,
      leaveOut: [...leaveOut],
      ...(cutter === 'default' ? {} : { cutter }),
    });
  };
  return (
    <Dialog
      wide
      open={open}
      onOpenChange={onOpenChange}
      title={`Back up ${machine.name}`}
      note="Only what is used is read. Disks in use are held still for a moment, so that the point is of one moment."
      footer={
        vaults.data?.length === 0 ? undefined : (
          <>
            <Totals taking={taking} waiting={choice.kind === 'system' && !current && plan.isFetching} />
            <Button onClick={() => onOpenChange(false)}>Not now</Button>
            <Button type="submit" form={formId} look="primary" disabled={!ready} busy={start.isPending}>
              Start backup
            </Button>
          </>
        )
      }
    >
      {vaults.data?.length === 0 ? (
        <NoVault />
      ) : (
        <form id={formId} onSubmit={submit} className="grid gap-6">
          <KindChoice value={choice.kind} onChange={(kind) => setChoice({ ...choice, kind })} />
          {plan.isError && hasChoice && <FailurePanel error={plan.error} onRetry={() => void plan.refetch()} />}
          <BackupMaps choice={choice} onChange={setChoice} takings={taking.disks} />
          {current?.problem && (
            <Note tone="bad" icon={OctagonAlert} title="It cannot be started like this">
              {current.problem.text}
            </Note>
          )}
          {current && current.warnings.length > 0 && (
            <Note tone="warn" icon={AlertTriangle} title="Read this before you start">
              <ul className="grid gap-1">
                {current.warnings.map((text) => (
                  <li key={text}>{text}</li>
                ))}
              </ul>
            </Note>
          )}
          <MethodChoice value={method} onChange={setMethod} />
          <Field label="Vault" hint={vault?.freeBytes != null ? `${formatBytes(vault.freeBytes)} free` : undefined}>
            {(attributes) => (
              <NativeSelect {...attributes} value={vault?.id ?? ''} onChange={(event) => setVaultId(event.currentTarget.value)}>
                {vaults.data?.map((candidate) => (
                  <option key={candidate.id} value={candidate.id}>
                    {candidate.name}
                  </option>
                ))}
              </NativeSelect>
            )}
          </Field>
          <BackupOptionFields options={wishes} method={method} onChange={setWishes} />
          {machine.connection === 'offline' && (
            <Note icon={Info}>{machine.name} is offline: the job waits and starts by itself when the PC is back.</Note>
          )}
          {start.isError && <FailurePanel error={start.error} />}
        </form>
      )}
    </Dialog>
  );
}

function Totals({ taking, waiting }: { taking: Taking; waiting: boolean }) {
  return (
    <p className="mr-auto text-ink-2" aria-live="polite" data-testid="backup-totals">
      {waiting ? (
        'Selecting what belongs to the system…'
      ) : taking.takenDisks === 0 ? (
        'Nothing is chosen yet'
      ) : (
        <>
          Will read about <span className="font-semibold text-ink">{formatBytes(taking.readBytes)}</span> (used) of{' '}
          {formatBytes(taking.ofBytes)} on {formatCount(taking.takenDisks, 'disk')}
        </>
      )}
    </p>
  );
}

function NoVault() {
  return (
    <Empty
      icon={ServerCog}
      title="Create a vault first"
      className="py-8"
      action={
        <Button asChild look="primary">
          <Link href="/storage?new=vault">Create vault</Link>
        </Button>
      }
    >
      A vault is the folder where restore points are kept, encrypted.
    </Empty>
  );
}
