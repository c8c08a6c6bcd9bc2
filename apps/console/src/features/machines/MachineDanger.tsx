'use client';
import type { MachineView } from '@diskfleet/protocol';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { Dialog } from '@/ui/Dialog';
import { Field, Input } from '@/ui/Field';
import { toast } from '@/ui/Toasts';
import { FailurePanel } from '../errors/FailurePanel';

export function MachineDanger({ machine }: { machine: MachineView }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [name, setName] = useState(machine.name);
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const onSettled = () => queries.invalidateQueries({ queryKey: trpc.machines.pathKey() });
  const rename = useMutation(
    trpc.machines.rename.mutationOptions({ onSettled, onSuccess: () => toast({ tone: 'ok', title: 'The machine is renamed' }) }),
  );
  const revoke = useMutation(
    trpc.machines.revoke.mutationOptions({
      onSettled,
      onSuccess: () => {
        setAsking(false);
        toast({ tone: 'info', title: `${machine.name} is revoked`, note: 'Its restore points are kept.' });
      },
    }),
  );
  const submitName = (event: FormEvent) => {
    event.preventDefault();
    rename.mutate({ id: machine.id, name: name.trim() });
  };
  return (
    <div className="grid gap-6">
      <Card>
        <CardHead title="Name" note="Shown everywhere, and typed to confirm a restore." />
        <form onSubmit={submitName} className="flex flex-wrap items-end gap-3 border-line border-t p-5">
          <div className="w-full max-w-sm">
            <Field label="Machine name">
              {(attributes) => (
                <Input
                  {...attributes}
                  value={name}
                  maxLength={100}
                  required
                  onChange={(event) => setName(event.currentTarget.value)}
                />
              )}
            </Field>
          </div>
          <Button type="submit" busy={rename.isPending} disabled={name.trim() === '' || name === machine.name}>
            Rename
          </Button>
          {rename.isError && <FailurePanel error={rename.error} className="w-full" />}
        </form>
      </Card>
      <Card className="border-bad/30">
        <CardHead title="Revoke the agent" note="The PC can no longer connect, and its jobs end. Its restore points are kept." />
        <div className="border-line border-t p-5">
          <Button look="danger" disabled={machine.state !== 'approved'} onClick={() => setAsking(true)}>
            Revoke machine
          </Button>
        </div>
      </Card>
      <Dialog
        open={asking}
        onOpenChange={setAsking}
        title={`Revoke ${machine.name}?`}
        note="To come back, the PC has to be enrolled again."
        footer={
          <>
            <Button onClick={() => setAsking(false)}>Keep it</Button>
            <Button
              look="danger"
              busy={revoke.isPending}
              disabled={typed !== machine.name}
              onClick={() => revoke.mutate({ id: machine.id })}
            >
              Revoke machine
            </Button>
          </>
        }
      >
        <Field label={`Type ${machine.name} to confirm`}>
          {(attributes) => (
            <Input {...attributes} value={typed} autoComplete="off" onChange={(event) => setTyped(event.currentTarget.value)} />
          )}
        </Field>
        {revoke.isError && <FailurePanel error={revoke.error} className="mt-4" />}
      </Dialog>
    </div>
  );
}
