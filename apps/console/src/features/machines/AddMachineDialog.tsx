'use client';
import { useMutation } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { CopyButton } from '@/ui/CopyButton';
import { Dialog } from '@/ui/Dialog';
import { Note } from '@/ui/Feedback';
import { Time } from '@/ui/Time';
import { FailurePanel } from '../errors/FailurePanel';

/** One line to run on a PC. The token in it works once and for an hour; the PC then waits for approval. */
export function AddMachineDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC();
  const token = useMutation(trpc.machines.createEnrolToken.mutationOptions());
  const close = (next: boolean) => {
    onOpenChange(next);
    if (!next) token.reset();
  };
  return (
    <Dialog
      open={open}
      onOpenChange={close}
      title="Add machine"
      note="Run one line on the PC. It then appears in the waiting room, where you approve it."
      footer={
        <Button look={token.data ? 'primary' : 'secondary'} onClick={() => close(false)}>
          {token.data ? 'Done' : 'Not now'}
        </Button>
      }
    >
      {!token.data && (
        <div className="grid gap-4">
          <Button
            look="primary"
            className="justify-self-start"
            busy={token.isPending}
            onClick={() => token.mutate({ ttlMinutes: 60, autoApprove: false })}
          >
            <KeyRound aria-hidden />
            Create enrol token
          </Button>
          {token.isError && <FailurePanel error={token.error} />}
        </div>
      )}
      {token.data && (
        <div className="grid gap-4">
          <div className="rounded-xl border border-line bg-sunken">
            <code className="block overflow-x-auto whitespace-pre-wrap break-all p-4 font-mono text-[0.8125rem] text-ink">
              {token.data.installLine}
            </code>
            <div className="flex items-center justify-between gap-4 border-line border-t px-4 py-2.5">
              <span className="text-[0.8125rem] text-ink-3">
                Works once, expires <Time iso={token.data.expiresAt} />
              </span>
              <CopyButton text={token.data.installLine} label="Copy line" />
            </div>
          </div>
          <Note icon={KeyRound}>
            The token is shown only now and stored only as a hash. Compare the key fingerprint that the PC prints with the one in
            the waiting room.
          </Note>
        </div>
      )}
    </Dialog>
  );
}
