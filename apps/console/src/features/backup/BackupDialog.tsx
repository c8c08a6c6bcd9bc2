'use client';
import type { MachineView } from '@diskfleet/protocol';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Info, ServerCog } from 'lucide-react';
import Link from 'next/link';
import { useState } from 'react';
import { formatBytes, formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Checkbox, Segmented } from '@/ui/Choice';
import { Dialog } from '@/ui/Dialog';
import { Empty, Note } from '@/ui/Feedback';
import { Field, NativeSelect } from '@/ui/Field';
import { Badge } from '@/ui/Status';
import { FailurePanel } from '../errors/FailurePanel';
import { BackupProgress } from './BackupProgress';

interface BackupDialogProps {
  readonly machine: MachineView;
  /** Ticked at first; without it: every disk that holds something and is not removable. */
  readonly diskKeys?: readonly string[];
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
}

/** Chooses disks and vault, starts the job, and stays as its progress until it is closed. */
export function BackupDialog({ machine, diskKeys, open, onOpenChange }: BackupDialogProps) {
  const [jobId, setJobId] = useState<string | null>(null);
  const change = (next: boolean) => {
    onOpenChange(next);
    if (!next) setJobId(null);
  };
  if (jobId) return <BackupProgress jobId={jobId} open={open} onOpenChange={change} />;
  return <BackupForm machine={machine} diskKeys={diskKeys} open={open} onOpenChange={change} onStarted={setJobId} />;
}

function BackupForm({
  machine,
  diskKeys,
  open,
  onOpenChange,
  onStarted,
}: BackupDialogProps & { onStarted: (jobId: string) => void }) {
  const trpc = useTRPC();
  const vaults = useQuery(trpc.vaults.list.queryOptions());
  const { disks } = machine.inventory;
  const [ticked, setTicked] = useState<ReadonlySet<string>>(
    () =>
      new Set(
        diskKeys ??
          disks
            .filter((disk) => !disk.removable && (disk.partitions.length > 0 || disk.filesystem !== null))
            .map((disk) => disk.key),
      ),
  );
  const [vaultId, setVaultId] = useState<string | null>(null);
  const [method, setMethod] = useState<'incremental' | 'full'>('incremental');
  const start = useMutation(trpc.jobs.backupNow.mutationOptions({ onSuccess: (job) => onStarted(job.id) }));
  const vault = vaults.data?.find((candidate) => candidate.id === vaultId) ?? vaults.data?.[0];
  const toggle = (key: string, on: boolean) => {
    const next = new Set(ticked);
    if (on) next.add(key);
    else next.delete(key);
    setTicked(next);
  };
  const chosen = disks.filter((disk) => ticked.has(disk.key));
  const usedBytes = chosen.reduce(
    (sum, disk) =>
      sum +
      disk.partitions.reduce(
        (part, each) => part + (each.filesystem?.usedBytes ?? each.sizeBytes),
        disk.filesystem?.usedBytes ?? 0,
      ),
    0,
  );
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Back up ${machine.name}`}
      note="Only what is used is read and stored. Disks in use are read as they are: back them up at a quiet time."
      footer={
        vaults.data?.length === 0 ? undefined : (
          <>
            <p className="mr-auto text-ink-2">
              {formatCount(chosen.length, 'disk')}, about {formatBytes(usedBytes)} in use
            </p>
            <Button onClick={() => onOpenChange(false)}>Not now</Button>
            <Button
              look="primary"
              disabled={chosen.length === 0 || !vault}
              busy={start.isPending}
              onClick={() =>
                vault &&
                start.mutate({ machineId: machine.id, diskKeys: chosen.map((disk) => disk.key), vaultId: vault.id, method })
              }
            >
              Start backup
            </Button>
          </>
        )
      }
    >
      {vaults.data?.length === 0 ? (
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
      ) : (
        <div className="grid gap-6">
          <fieldset>
            <legend className="mb-2 font-medium text-[0.8125rem] text-ink">Disks</legend>
            <ul className="divide-y divide-line rounded-xl border border-line">
              {disks.map((disk) => (
                <li key={disk.key} className="flex items-center gap-3 px-4 py-3">
                  <Checkbox
                    label={`Back up ${disk.name}`}
                    checked={ticked.has(disk.key)}
                    onChange={(on) => toggle(disk.key, on)}
                  />
                  <div className="min-w-0 flex-1">
                    <p className="flex flex-wrap items-center gap-2">
                      <span className="break-all font-medium text-ink">{disk.name}</span>
                      {disk.isSystemDisk && <Badge>System disk</Badge>}
                      {disk.removable && <Badge>Removable</Badge>}
                    </p>
                    <p className="text-[0.8125rem] text-ink-3">
                      {[disk.model, formatBytes(disk.sizeBytes), formatCount(disk.partitions.length, 'partition')]
                        .filter(Boolean)
                        .join(' · ')}
                    </p>
                  </div>
                </li>
              ))}
            </ul>
          </fieldset>
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
          <div className="grid gap-1.5">
            <span className="font-medium text-[0.8125rem] text-ink">Method</span>
            <Segmented
              label="Method"
              value={method}
              onChange={setMethod}
              options={[
                { value: 'incremental', label: 'Incremental' },
                { value: 'full', label: 'Full' },
              ]}
            />
            <p className="text-[0.8125rem] text-ink-3">
              {method === 'incremental'
                ? 'Stores what changed since the newest restore point; the first one is full by itself. Every point restores on its own.'
                : 'Reads everything again. Data the vault has already is still stored only once.'}
            </p>
          </div>
          {machine.connection === 'offline' && (
            <Note icon={Info}>{machine.name} is offline: the job waits and starts by itself when the PC is back.</Note>
          )}
          {start.isError && <FailurePanel error={start.error} />}
        </div>
      )}
    </Dialog>
  );
}
