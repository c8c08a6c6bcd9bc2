'use client';
import type { PointDetail } from '@diskfleet/protocol';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import { formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { Field, Input, NativeSelect } from '@/ui/Field';
import { FailurePanel } from '../errors/FailurePanel';

interface RestoreFilesDialogProps {
  readonly point: PointDetail;
  readonly disk: number;
  readonly paths: readonly string[];
  readonly open: boolean;
  readonly onOpenChange: (open: boolean) => void;
  readonly onStarted: () => void;
}

const rules = [
  { value: 'keepBoth', label: 'Keep both: the restored file gets a new name' },
  { value: 'never', label: 'Leave files that exist alone' },
  { value: 'ifNewer', label: 'Replace older files' },
  { value: 'always', label: 'Replace every file' },
] as const;

export function RestoreFilesDialog({ point, disk, paths, open, onOpenChange, onStarted }: RestoreFilesDialogProps) {
  const trpc = useTRPC();
  const router = useRouter();
  const machines = useQuery(trpc.machines.list.queryOptions({ state: 'approved' }));
  const [machineId, setMachineId] = useState(point.machineId);
  const [destination, setDestination] = useState('');
  const [overwrite, setOverwrite] = useState<(typeof rules)[number]['value']>('keepBoth');
  const start = useMutation(
    trpc.jobs.restoreFiles.mutationOptions({
      onSuccess: (job) => {
        onStarted();
        router.push(`/jobs/${job.id}`);
      },
    }),
  );
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={`Restore ${formatCount(paths.length, 'item')}`}
      note="The agent fetches them from the vault and writes them below one folder. Nothing is written outside it."
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>Not now</Button>
          <Button
            look="primary"
            busy={start.isPending}
            disabled={destination.trim() === ''}
            onClick={() =>
              start.mutate({
                machineId,
                pointId: point.id,
                diskIndex: disk,
                paths: [...paths],
                destination: destination.trim(),
                overwrite,
              })
            }
          >
            Restore files
          </Button>
        </>
      }
    >
      <div className="grid gap-5">
        <Field label="Machine">
          {(attributes) => (
            <NativeSelect {...attributes} value={machineId} onChange={(event) => setMachineId(event.currentTarget.value)}>
              {machines.data?.map((machine) => (
                <option key={machine.id} value={machine.id}>
                  {machine.name}
                  {machine.id === point.machineId ? ' (where they come from)' : ''}
                </option>
              ))}
            </NativeSelect>
          )}
        </Field>
        <Field label="Destination folder" hint="A full path on that PC; it is created when missing.">
          {(attributes) => (
            <Input
              {...attributes}
              value={destination}
              placeholder="/home/me/restored"
              autoComplete="off"
              onChange={(event) => setDestination(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="If a file exists already">
          {(attributes) => (
            <NativeSelect
              {...attributes}
              value={overwrite}
              onChange={(event) =>
                setOverwrite(rules.find((rule) => rule.value === event.currentTarget.value)?.value ?? 'keepBoth')
              }
            >
              {rules.map((rule) => (
                <option key={rule.value} value={rule.value}>
                  {rule.label}
                </option>
              ))}
            </NativeSelect>
          )}
        </Field>
        {start.isError && <FailurePanel error={start.error} />}
      </div>
    </Dialog>
  );
}
