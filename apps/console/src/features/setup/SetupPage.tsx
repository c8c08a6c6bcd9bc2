'use client';
import { useQuery } from '@tanstack/react-query';
import { Check } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { useEffect, useState } from 'react';
import { useTRPC } from '@/trpc/client';
import { isSignedOut } from '@/trpc/failure';
import { cn } from '@/ui/cn';
import { SkeletonRows } from '@/ui/Feedback';
import { FailurePanel } from '../errors/FailurePanel';
import { EntryFrame } from '../signIn/EntryFrame';
import { CreateVault } from '../vaults/CreateVault';
import { KitStep } from './KitStep';
import { MachineStep } from './MachineStep';
import { OwnerStep } from './OwnerStep';

const steps = ['Owner', 'Vault', 'Recovery kit', 'First machine'] as const;

const words = [
  {
    title: 'Welcome to Diskfleet',
    note: 'Create the account that owns this installation. Four short steps and the first disk is safe.',
  },
  { title: 'Where should backups be kept?', note: 'A vault is a folder. Best is one on another disk than the ones you back up.' },
  { title: 'Keep the key in a safe place', note: 'One file, once. It is the difference between a lost server and lost backups.' },
  { title: 'Your first machine', note: 'The agent of this PC announces itself. Approve it, and it may be backed up.' },
] as const;

/** The first five minutes. Which step it is follows from what exists already, so a reload goes on where it was. */
export function SetupPage({ folder }: { folder: string }) {
  const trpc = useTRPC();
  const router = useRouter();
  const [token, setToken] = useState<string | null>(null);
  const [password, setPassword] = useState<string | null>(null);
  const [kitDone, setKitDone] = useState(false);
  const status = useQuery(trpc.setup.status.queryOptions());
  const signedIn = status.data?.needsOwner === false;
  const vaults = useQuery(trpc.vaults.list.queryOptions(undefined, { enabled: signedIn, retry: false }));
  useEffect(() => {
    const take = (address: string) => {
      const found = new URLSearchParams(new URL(address).hash.slice(1)).get('token');
      if (found) setToken(found);
    };
    take(window.location.href);
    // The printed address may be opened in a tab that shows this page already.
    const onHash = (event: HashChangeEvent) => take(event.newURL);
    window.addEventListener('hashchange', onHash);
    return () => window.removeEventListener('hashchange', onHash);
  }, []);
  const signedOut = vaults.isError && isSignedOut(vaults.error);
  useEffect(() => {
    if (signedOut) router.replace('/sign-in?next=%2Fsetup');
  }, [signedOut, router]);
  const vault = vaults.data?.[0];
  const step = !signedIn
    ? 0
    : !vault
      ? 1
      : vault.recoveryKitDownloadedAt === null && vault.encryption === 'managed' && !kitDone
        ? 2
        : 3;
  const loading = status.isPending || (signedIn && (vaults.isPending || signedOut));
  return (
    <EntryFrame title={words[step]?.title ?? ''} note={loading ? undefined : words[step]?.note} wide>
      <ol aria-label="Set-up" className="mb-7 grid grid-cols-4 gap-2">
        {steps.map((name, index) => (
          <li
            key={name}
            aria-current={index === step ? 'step' : undefined}
            className={cn(
              'flex items-center gap-1.5 border-t-2 pt-2 text-[0.8125rem]',
              index <= step ? 'border-accent-text' : 'border-line',
              index === step ? 'font-medium text-ink' : 'text-ink-3',
            )}
          >
            {index < step && <Check className="size-3.5 text-accent-text" strokeWidth={2.5} aria-label="done" />}
            <span className={cn(index !== step && 'hidden sm:inline')}>{name}</span>
          </li>
        ))}
      </ol>
      {status.isError && <FailurePanel error={status.error} onRetry={() => void status.refetch()} />}
      {loading && !status.isError && <SkeletonRows rows={3} />}
      {!loading && !status.isError && (
        <>
          {step === 0 && (
            <OwnerStep
              token={token}
              onCreated={(chosen) => {
                setPassword(chosen);
                // The token is worth nothing from now on, and only clutters the address.
                window.history.replaceState(null, '', window.location.pathname);
                void status.refetch();
              }}
            />
          )}
          {step === 1 && (
            <CreateVault suggestedName="Main vault" suggestedFolder={folder} onCreated={() => void vaults.refetch()} />
          )}
          {step === 2 && vault && <KitStep vault={vault} password={password} onDone={() => setKitDone(true)} />}
          {step === 3 && <MachineStep />}
        </>
      )}
    </EntryFrame>
  );
}
