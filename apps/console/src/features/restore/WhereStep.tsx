'use client';
import type { InventoryDisk, MachineView, PointDetail, PointDisk, RestorePlanView } from '@diskfleet/protocol';
import { useMutation, useQuery } from '@tanstack/react-query';
import { ArrowLeft, FilePlus2, ShieldAlert, WifiOff } from 'lucide-react';
import { useState } from 'react';
import { formatBytes } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { OptionCards } from '@/ui/Choice';
import { Note, SkeletonRows } from '@/ui/Feedback';
import { Field, Input, NativeSelect } from '@/ui/Field';
import { DiskLabel } from '../diskMap/DiskMap';
import { MiniMap } from '../diskMap/MiniMap';
import { FailurePanel } from '../errors/FailurePanel';
import { isFileName, suggestedFileName } from './planMap';

interface WhereStepProps {
  readonly point: PointDetail;
  readonly disk: PointDisk;
  readonly machineId: string | null;
  readonly onMachine: (id: string) => void;
  readonly onBack: () => void;
  readonly onPlan: (plan: RestorePlanView) => void;
}

const newFile = 'new-file';

export function WhereStep({ point, disk, machineId, onMachine, onBack, onPlan }: WhereStepProps) {
  const trpc = useTRPC();
  const machines = useQuery(trpc.machines.list.queryOptions({ state: 'approved' }));
  const id =
    machineId ??
    (machines.data?.some((machine) => machine.id === point.machineId) ? point.machineId : machines.data?.[0]?.id) ??
    '';
  const machine = useQuery(trpc.machines.get.queryOptions({ id }, { enabled: id !== '' }));
  return (
    <div className="grid gap-6">
      <Card>
        <CardHead title="Machine" note="The PC whose disk will be written" />
        <div className="border-line border-t p-5">
          <div className="max-w-md">
            <Field label="Target machine">
              {(attributes) => (
                <NativeSelect {...attributes} value={id} onChange={(event) => onMachine(event.currentTarget.value)}>
                  {machines.data?.map((each) => (
                    <option key={each.id} value={each.id}>
                      {each.name}
                      {each.connection === 'offline' ? ' (offline)' : ''}
                      {each.id === point.machineId ? ' – where it was made' : ''}
                    </option>
                  ))}
                </NativeSelect>
              )}
            </Field>
          </div>
        </div>
      </Card>
      {machines.isError && <FailurePanel error={machines.error} onRetry={() => void machines.refetch()} />}
      {machine.isError && <FailurePanel error={machine.error} onRetry={() => void machine.refetch()} />}
      {machine.isPending && (
        <Card>
          <SkeletonRows rows={3} />
        </Card>
      )}
      {machine.data && <TargetForm key={id} machine={machine.data} point={point} source={disk} onBack={onBack} onPlan={onPlan} />}
    </div>
  );
}

interface TargetFormProps {
  readonly machine: MachineView;
  readonly point: PointDetail;
  readonly source: PointDisk;
  readonly onBack: () => void;
  readonly onPlan: (plan: RestorePlanView) => void;
}

function TargetForm({ machine, point, source, onBack, onPlan }: TargetFormProps) {
  const trpc = useTRPC();
  const { disks, diskFilesFolder, allowRemoteDiskWrites } = machine.inventory;
  // Nothing is chosen at first: a target is a decision.
  const [target, setTarget] = useState<string | null>(null);
  const [fileName, setFileName] = useState(suggestedFileName(source.name));
  const plan = useMutation(trpc.restores.plan.mutationOptions({ onSuccess: onPlan }));
  const writesOff = allowRemoteDiskWrites ? null : 'disk writes from the console are switched off on this PC';
  const ready = target === newFile ? isFileName(fileName) : target !== null;
  const make = () => {
    if (target === null) return;
    const ref = target === newFile ? ({ kind: 'newFile', fileName } as const) : ({ kind: 'disk', diskKey: target } as const);
    plan.mutate({ pointId: point.id, diskIndex: source.index, machineId: machine.id, target: ref });
  };
  const options = disks.map((disk) => ({
    value: disk.key,
    name: `Disk ${disk.name}`,
    blocked: writesOff ?? whyBlocked(disk),
    body: (
      <span className="grid gap-3">
        <DiskLabel disk={disk} />
        <MiniMap disk={disk} />
      </span>
    ),
  }));
  if (diskFilesFolder !== null) {
    options.push({
      value: newFile,
      name: 'New disk file',
      blocked: writesOff,
      body: (
        <span className="flex items-center gap-3">
          <span className="grid size-9 shrink-0 place-items-center rounded-lg border border-line bg-sunken text-ink-2">
            <FilePlus2 className="size-[18px]" strokeWidth={1.7} aria-hidden />
          </span>
          <span className="min-w-0">
            <span className="block font-semibold text-ink">New disk file</span>
            <span className="block break-words text-[0.8125rem] text-ink-3">
              {formatBytes(source.sizeBytes)} in {diskFilesFolder}; no disk is touched
            </span>
          </span>
        </span>
      ),
    });
  }
  return (
    <>
      <Card>
        <CardHead title="Target" note="Everything on it is replaced. The plan shows what that means before anything happens." />
        <div className="grid gap-4 border-line border-t p-5">
          {machine.connection === 'offline' && (
            <Note tone="warn" icon={WifiOff} title={`${machine.name} is offline`}>
              A plan needs the disks as they are now. Switch the PC on first.
            </Note>
          )}
          {writesOff && (
            <Note tone="warn" icon={ShieldAlert} title="This PC allows no disk writes from the console">
              Allow it on the PC itself: set allowRemoteDiskWrites in the agent’s settings.
            </Note>
          )}
          <OptionCards label="Target disk" value={target} onChange={setTarget} options={options} />
          {target === newFile && (
            <div className="max-w-md">
              <Field
                label="File name"
                error={
                  isFileName(fileName) ? null : 'Letters, digits, dot, dash and underscore; it begins with a letter or digit.'
                }
                hint="A name that is not taken yet"
              >
                {(attributes) => (
                  <Input
                    {...attributes}
                    value={fileName}
                    autoComplete="off"
                    onChange={(event) => setFileName(event.currentTarget.value)}
                  />
                )}
              </Field>
            </div>
          )}
          {plan.isError && <FailurePanel error={plan.error} />}
        </div>
      </Card>
      <div className="flex justify-between gap-3">
        <Button size="lg" onClick={onBack}>
          <ArrowLeft aria-hidden />
          Back
        </Button>
        <Button look="primary" size="lg" busy={plan.isPending} disabled={!ready} onClick={make}>
          Make plan
        </Button>
      </div>
    </>
  );
}

function whyBlocked(disk: InventoryDisk): string | null {
  if (disk.isSystemDisk) return disk.busyReason ?? 'the operating system runs from this disk';
  if (disk.busyReason) return disk.busyReason;
  if (disk.readOnly) return 'the disk is write-protected';
  return null;
}
