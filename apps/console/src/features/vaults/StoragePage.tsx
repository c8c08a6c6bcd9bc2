'use client';
import type { VaultView } from '@diskfleet/protocol';
import { useQuery } from '@tanstack/react-query';
import { KeyRound, Lock, LockOpen, Plus, Server } from 'lucide-react';
import Link from 'next/link';
import { parseAsString, useQueryStates } from 'nuqs';
import { formatBytes, formatCount, formatShare } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, Fact } from '@/ui/Card';
import { Dialog } from '@/ui/Dialog';
import { Empty, Meter, Note, SkeletonRows } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { Status } from '@/ui/Status';
import { Time } from '@/ui/Time';
import { FailurePanel } from '../errors/FailurePanel';
import { CreateVault } from './CreateVault';
import { RecoveryKit } from './RecoveryKit';

export function StoragePage() {
  const trpc = useTRPC();
  const vaults = useQuery(trpc.vaults.list.queryOptions());
  const [dialog, setDialog] = useQueryStates({ new: parseAsString, kit: parseAsString });
  const kitVault = vaults.data?.find((vault) => vault.id === dialog.kit);
  return (
    <>
      <PageHead
        title="Storage"
        note="Vaults hold the restore points, deduplicated, compressed and encrypted."
        action={
          <Button look="primary" onClick={() => void setDialog({ new: 'vault' })}>
            <Plus aria-hidden />
            New vault
          </Button>
        }
      />
      {vaults.isError && <FailurePanel error={vaults.error} onRetry={() => void vaults.refetch()} />}
      {vaults.isPending && (
        <Card>
          <SkeletonRows rows={3} />
        </Card>
      )}
      <div className="grid gap-4">
        {vaults.data?.map((vault) => (
          <VaultCard key={vault.id} vault={vault} onKit={() => void setDialog({ kit: vault.id })} />
        ))}
      </div>
      {vaults.data?.length === 0 && (
        <Card>
          <Empty
            icon={Server}
            title="No vault yet"
            action={
              <Button look="primary" onClick={() => void setDialog({ new: 'vault' })}>
                New vault
              </Button>
            }
          >
            A vault is a folder on a disk, a NAS or a mounted share. It is tested before it is used.
          </Empty>
        </Card>
      )}
      <Dialog
        open={dialog.new !== null}
        onOpenChange={(open) => !open && void setDialog({ new: null })}
        title="New vault"
        note="The folder where restore points will be kept"
      >
        <CreateVault
          suggestedName={vaults.data?.length ? '' : 'Main vault'}
          suggestedFolder=""
          onCreated={(vault) => void setDialog({ new: null, kit: vault.id })}
        />
      </Dialog>
      {kitVault && (
        <Dialog open onOpenChange={(open) => !open && void setDialog({ kit: null })} title={`Recovery kit of ${kitVault.name}`}>
          <RecoveryKit vault={kitVault} onDownloaded={() => void setDialog({ kit: null })} />
        </Dialog>
      )}
    </>
  );
}

function VaultCard({ vault, onKit }: { vault: VaultView; onKit: () => void }) {
  const { freeBytes, totalBytes } = vault;
  const known = freeBytes !== null && totalBytes !== null;
  const usedBytes = known ? totalBytes - freeBytes : 0;
  const tone = !known || freeBytes / totalBytes > 0.15 ? 'accent' : freeBytes / totalBytes > 0.05 ? 'warn' : 'bad';
  return (
    <Card aria-label={vault.name}>
      <div className="flex flex-wrap items-start justify-between gap-4 p-5">
        <div className="flex min-w-0 items-center gap-3">
          <span className="grid size-10 shrink-0 place-items-center rounded-xl border border-line bg-sunken text-ink-2">
            <Server className="size-5" strokeWidth={1.7} aria-hidden />
          </span>
          <div className="min-w-0">
            <div className="flex flex-wrap items-center gap-2">
              <h2 className="font-semibold text-ink text-lg leading-7">{vault.name}</h2>
              <Status name={vault.state} />
            </div>
            <p className="break-all font-mono text-[0.8125rem] text-ink-3">{vault.folder}</p>
          </div>
        </div>
        {vault.encryption === 'managed' && (
          <Button onClick={onKit}>
            <KeyRound aria-hidden />
            Recovery kit
          </Button>
        )}
      </div>
      {known && (
        <div className="px-5 pb-5">
          <Meter label={`Space on the disk of ${vault.name}`} value={usedBytes} max={totalBytes} tone={tone} />
          <p className="mt-2 flex flex-wrap justify-between gap-x-4 text-[0.8125rem] text-ink-3">
            <span>
              {formatBytes(usedBytes)} of {formatBytes(totalBytes)} in use on this disk ({formatShare(usedBytes, totalBytes)})
            </span>
            <span>{formatBytes(freeBytes)} free</span>
          </p>
        </div>
      )}
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 border-line border-t px-5 py-4 sm:grid-cols-4">
        <Fact label="Restore points">
          <Link href="/points" className="text-accent-text hover:underline">
            {formatCount(vault.points, 'point')}
          </Link>
        </Fact>
        <Fact label="Stored">{formatBytes(vault.storedBytes)}</Fact>
        <Fact label="Encryption">
          <span className="flex items-center gap-1.5">
            {vault.encryption === 'managed' ? (
              <Lock className="size-3.5 text-ink-3" aria-hidden />
            ) : (
              <LockOpen className="size-3.5 text-ink-3" aria-hidden />
            )}
            {vault.encryption === 'managed' ? 'AES-256, key managed here' : 'none'}
          </span>
        </Fact>
        <Fact label="Recovery kit">
          {vault.recoveryKitDownloadedAt ? (
            <Time iso={vault.recoveryKitDownloadedAt} />
          ) : (
            <span className="text-warn">never downloaded</span>
          )}
        </Fact>
      </dl>
      {vault.encryption === 'managed' && vault.recoveryKitDownloadedAt === null && (
        <Note
          tone="warn"
          icon={KeyRound}
          className="mx-5 mb-5"
          title="Without the recovery kit, losing this server means losing these backups"
        >
          Download it once and keep it elsewhere.
        </Note>
      )}
    </Card>
  );
}
