'use client';
import type { VaultView } from '@diskfleet/protocol';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Download, KeyRound } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Note } from '@/ui/Feedback';
import { Field, Input } from '@/ui/Field';
import { saveFile } from '@/ui/saveFile';
import { toast } from '@/ui/Toasts';
import { FailurePanel } from '../errors/FailurePanel';

/** The key of a vault as a file to keep elsewhere. The password is asked again: this is the one thing worth stealing. */
export function RecoveryKit({
  vault,
  knownPassword,
  onDownloaded,
}: {
  vault: VaultView;
  knownPassword?: string | null;
  onDownloaded?: () => void;
}) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [password, setPassword] = useState('');
  const kit = useMutation(
    trpc.vaults.recoveryKit.mutationOptions({
      onSuccess: ({ fileName, text }) => {
        saveFile(fileName, 'text/plain', text);
        setPassword('');
        toast({
          tone: 'ok',
          title: 'The recovery kit is downloaded',
          note: 'Keep it where a fire, a thief or a lost server does not reach it.',
        });
        void queries.invalidateQueries({ queryKey: trpc.vaults.pathKey() });
        void queries.invalidateQueries({ queryKey: trpc.overview.pathKey() });
        onDownloaded?.();
      },
    }),
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    kit.mutate({ id: vault.id, password: knownPassword ?? password });
  };
  return (
    <form onSubmit={submit} className="grid gap-5">
      <Note icon={KeyRound} title="The vault is encrypted">
        Its key lies on this server. If the server is lost, this file is what opens the vault again – with the command line alone,
        without this console.
      </Note>
      {!knownPassword && (
        <Field label="Your password" hint="Asked again, because this file opens everything.">
          {(attributes) => (
            <Input
              {...attributes}
              type="password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
      {kit.isError && <FailurePanel error={kit.error} />}
      <div>
        <Button type="submit" look="primary" busy={kit.isPending} disabled={!knownPassword && password === ''}>
          {!kit.isPending && <Download aria-hidden />}
          Download recovery kit
        </Button>
      </div>
    </form>
  );
}
