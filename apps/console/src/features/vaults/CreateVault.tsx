'use client';
import type { VaultView } from '@diskfleet/protocol';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Check, FolderSearch, OctagonAlert } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { formatBytes } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Note } from '@/ui/Feedback';
import { Field, Input } from '@/ui/Field';
import { FailurePanel } from '../errors/FailurePanel';

interface CreateVaultProps {
  readonly suggestedFolder: string;
  readonly suggestedName: string;
  readonly onCreated: (vault: VaultView) => void;
}

/** A folder is tested by writing, syncing and reading back, before it may become a vault. */
export function CreateVault({ suggestedFolder, suggestedName, onCreated }: CreateVaultProps) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [name, setName] = useState(suggestedName);
  const [folder, setFolder] = useState(suggestedFolder);
  const [tested, setTested] = useState<string | null>(null);
  const test = useMutation(trpc.vaults.testFolder.mutationOptions({ onSuccess: (_, input) => setTested(input.folder) }));
  const create = useMutation(
    trpc.vaults.create.mutationOptions({
      onSuccess: (vault) => {
        void queries.invalidateQueries({ queryKey: trpc.vaults.pathKey() });
        void queries.invalidateQueries({ queryKey: trpc.overview.pathKey() });
        onCreated(vault);
      },
    }),
  );
  const path = folder.trim();
  const result = tested === path ? test.data : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate({ name: name.trim(), folder: path });
  };
  return (
    <form onSubmit={submit} className="grid gap-5">
      <Field label="Vault name">
        {(attributes) => (
          <Input {...attributes} value={name} required maxLength={100} onChange={(event) => setName(event.currentTarget.value)} />
        )}
      </Field>
      <Field label="Folder" hint="A full path on the vault service’s machine. It has to be empty; it is created when missing.">
        {(attributes) => (
          <Input
            {...attributes}
            value={folder}
            required
            spellCheck={false}
            autoComplete="off"
            className="font-mono text-[0.8125rem]"
            onChange={(event) => setFolder(event.currentTarget.value)}
          />
        )}
      </Field>
      <div>
        <Button busy={test.isPending} disabled={path === ''} onClick={() => test.mutate({ folder: path })}>
          {!test.isPending && <FolderSearch aria-hidden />}
          Test folder
        </Button>
      </div>
      {test.isError && <FailurePanel error={test.error} />}
      {result &&
        (result.ok ? (
          <Note tone="ok" icon={Check} title="This folder works">
            Written, synced and read back
            {result.megabytesPerSecond !== null && <> at {Math.round(result.megabytesPerSecond)} MB/s</>}.
            {result.freeBytes !== null && result.totalBytes !== null && (
              <>
                {' '}
                {formatBytes(result.freeBytes)} of {formatBytes(result.totalBytes)} free.
              </>
            )}
          </Note>
        ) : (
          <Note tone="bad" icon={OctagonAlert} title="This folder does not work">
            {result.problem ?? (result.writable ? 'The test failed.' : 'The vault service may not write here.')}
            {!result.isEmpty && ' The folder is not empty.'}
          </Note>
        ))}
      {create.isError && <FailurePanel error={create.error} />}
      <div className="flex items-center justify-end gap-3">
        {!result?.ok && <span className="text-[0.8125rem] text-ink-3">Test the folder first</span>}
        <Button type="submit" look="primary" busy={create.isPending} disabled={name.trim() === '' || !result?.ok}>
          Create vault
        </Button>
      </div>
    </form>
  );
}
