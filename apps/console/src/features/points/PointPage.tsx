'use client';
import type { PointDetail } from '@diskfleet/protocol';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { CircleSlash, FolderOpen, Pin, PinOff, RotateCcw, ShieldCheck } from 'lucide-react';
import Link from 'next/link';
import { useRouter } from 'next/navigation';
import { type FormEvent, useState } from 'react';
import { formatBytes, formatCount } from '@/format/bytes';
import { formatAbsolute } from '@/format/time';
import { useTRPC } from '@/trpc/client';
import { failureOf } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { Card, CardHead, Fact } from '@/ui/Card';
import { CopyButton } from '@/ui/CopyButton';
import { Note, SkeletonPage } from '@/ui/Feedback';
import { Field, Input } from '@/ui/Field';
import { PageHead } from '@/ui/Page';
import { Badge, Status } from '@/ui/Status';
import { Time } from '@/ui/Time';
import { toast } from '@/ui/Toasts';
import { DiskMap } from '../diskMap/DiskMap';
import { inclusionOfPoint } from '../diskMap/inclusion';
import { FailurePanel } from '../errors/FailurePanel';
import { RunWarnings } from '../jobs/RunWarnings';
import { verifiedName } from './PointTable';
import { leftOutNames, pointKindNames } from './pointWords';

function complain(error: unknown) {
  const { what, todo } = failureOf(error);
  toast({ tone: 'bad', title: what, note: todo });
}

export function PointPage({ id }: { id: string }) {
  const trpc = useTRPC();
  const query = useQuery(trpc.points.get.queryOptions({ id }));
  if (query.isPending) return <SkeletonPage />;
  if (query.isError) return <FailurePanel error={query.error} onRetry={() => void query.refetch()} />;
  const point = query.data;
  const first = point.disks[0];
  return (
    <>
      <PageHead
        trail={[
          { label: 'Restore points', href: '/points' },
          { label: point.machineName, href: `/machines/${point.machineId}?tab=points` },
        ]}
        title={<Time iso={point.createdAt} show="absolute" />}
        note={`${point.machineName} · ${point.source}`}
        badge={
          <>
            <Badge>{pointKindNames[point.kind]}</Badge>
            <Status name={verifiedName(point)} />
            {point.pinned && (
              <Badge tone="busy">
                <Pin className="size-3.5" aria-hidden />
                Pinned
              </Badge>
            )}
          </>
        }
        action={
          <>
            <PointActions point={point} />
            <Button asChild>
              <Link href={`/restore?point=${encodeURIComponent(id)}`}>
                <RotateCcw aria-hidden />
                Restore
              </Link>
            </Button>
            {first && (
              <Button asChild look="primary">
                <Link href={`/explore/${encodeURIComponent(id)}/${first.index}`}>
                  <FolderOpen aria-hidden />
                  Explore
                </Link>
              </Button>
            )}
          </>
        }
      />
      <div className="grid gap-6">
        <RunWarnings warnings={point.warnings} />
        <LeftOutNote point={point} />
        <Card>
          <CardHead
            title={point.disks.length === 1 ? 'Disk' : `${point.disks.length} disks`}
            note="As it was when the backup ran"
          />
          <div className="grid gap-8 border-line border-t p-5">
            {point.disks.map((disk) => (
              <DiskMap
                key={disk.index}
                disk={disk}
                inclusion={inclusionOfPoint(disk)}
                actions={
                  point.disks.length > 1 ? (
                    <>
                      <Button asChild size="sm">
                        <Link href={`/explore/${encodeURIComponent(id)}/${disk.index}`}>Explore {disk.name}</Link>
                      </Button>
                      <Button asChild size="sm">
                        <Link href={`/restore?point=${encodeURIComponent(id)}&disk=${disk.index}`}>Restore {disk.name}</Link>
                      </Button>
                    </>
                  ) : undefined
                }
              />
            ))}
          </div>
        </Card>
        <Card>
          <CardHead title="Facts" />
          <dl className="grid grid-cols-2 gap-x-6 gap-y-5 border-line border-t px-5 py-5 sm:grid-cols-3 lg:grid-cols-4">
            <Fact label="Taken">
              <Time iso={point.createdAt} show="both" />
            </Fact>
            <Fact label="Kind">{pointKindNames[point.kind]}</Fact>
            <Fact label="Method">
              <span className="capitalize">{point.method}</span>
            </Fact>
            <Fact label={point.disks.length === 1 ? 'Size of the disk' : 'Size of the disks'}>
              {formatBytes(point.sizeBytes)}
            </Fact>
            <Fact label="Used">{formatBytes(point.usedBytes)}</Fact>
            <Fact label="New in this point">{formatBytes(point.newBytes)}</Fact>
            <Fact label="Stored after compression">{formatBytes(point.storedBytes)}</Fact>
            <Fact label="Vault">
              <Link href="/storage" className="text-accent-text hover:underline">
                {point.vaultName}
              </Link>
            </Fact>
            <Fact label="Last check">{point.verified ? <Time iso={point.verified.at} show="both" /> : 'none yet'}</Fact>
          </dl>
          <Comment point={point} />
          <div className="flex flex-wrap items-center gap-3 border-line border-t px-5 py-3">
            <span className="text-[0.8125rem] text-ink-3">Identifier</span>
            <code className="break-all font-mono text-[0.8125rem] text-ink-2">{point.id}</code>
            <CopyButton text={point.id} className="ml-auto" />
          </div>
        </Card>
      </div>
    </>
  );
}

/** What a person would miss after a restore, said before they need it. */
function LeftOutNote({ point }: { point: PointDetail }) {
  const names = leftOutNames(point.disks);
  if (names.length === 0) return null;
  return (
    <Note icon={CircleSlash} title={`${formatCount(names.length, 'partition')} left out of this point`}>
      {names.join(', ')}. Hatched on the map: place and size are known, the content is not here.
    </Note>
  );
}

function PointActions({ point }: { point: PointDetail }) {
  const trpc = useTRPC();
  const router = useRouter();
  const queries = useQueryClient();
  const pin = useMutation(
    trpc.points.setPinned.mutationOptions({
      onError: complain,
      onSettled: () => queries.invalidateQueries({ queryKey: trpc.points.pathKey() }),
    }),
  );
  const verify = useMutation(
    trpc.jobs.verify.mutationOptions({ onError: complain, onSuccess: (job) => router.push(`/jobs/${job.id}`) }),
  );
  return (
    <>
      <Button
        busy={verify.isPending}
        onClick={() => verify.mutate({ machineId: point.machineId, vaultId: point.vaultId, level: 'data', pointId: point.id })}
      >
        <ShieldCheck aria-hidden />
        Verify
      </Button>
      <Button busy={pin.isPending} onClick={() => pin.mutate({ id: point.id, pinned: !point.pinned })}>
        {point.pinned ? <PinOff aria-hidden /> : <Pin aria-hidden />}
        {point.pinned ? 'Unpin' : 'Pin'}
      </Button>
    </>
  );
}

function Comment({ point }: { point: PointDetail }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [text, setText] = useState(point.comment);
  const save = useMutation(
    trpc.points.setComment.mutationOptions({
      onError: complain,
      onSuccess: () => toast({ tone: 'ok', title: 'The comment is saved' }),
      onSettled: () => queries.invalidateQueries({ queryKey: trpc.points.pathKey() }),
    }),
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate({ id: point.id, comment: text });
  };
  return (
    <form onSubmit={submit} className="flex items-end gap-3 border-line border-t px-5 py-4">
      <div className="min-w-0 max-w-xl flex-1">
        <Field label="Comment">
          {(attributes) => (
            <Input
              {...attributes}
              value={text}
              maxLength={1000}
              placeholder={`Why ${formatAbsolute(point.createdAt)} matters`}
              onChange={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
      </div>
      <Button type="submit" busy={save.isPending} disabled={text === point.comment}>
        Save
      </Button>
    </form>
  );
}
