'use client';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { FolderOpen, FolderOutput, HardDrive } from 'lucide-react';
import Link from 'next/link';
import { parseAsBoolean, parseAsStringLiteral, useQueryStates } from 'nuqs';
import { useEffect, useMemo, useState } from 'react';
import { formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Empty, SkeletonRows } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { Time } from '@/ui/Time';
import { FailurePanel } from '../errors/FailurePanel';
import { EntryList } from './EntryList';
import { exploreHref, sortEntries, splitPath } from './imagePath';
import { RestoreFilesDialog } from './RestoreFilesDialog';

interface ExplorePageProps {
  readonly pointId: string;
  readonly disk: number;
  readonly path: string;
}

const none: ReadonlySet<string> = new Set();

export function ExplorePage({ pointId, disk, path }: ExplorePageProps) {
  const trpc = useTRPC();
  const point = useQuery(trpc.points.get.queryOptions({ id: pointId }));
  const [sort, setSort] = useQueryStates({
    sort: parseAsStringLiteral(['name', 'size', 'modified']).withDefault('name'),
    desc: parseAsBoolean.withDefault(false),
  });
  const [ticked, setTicked] = useState<ReadonlySet<string>>(none);
  const [restoring, setRestoring] = useState(false);
  const list = useInfiniteQuery(
    trpc.explorer.list.infiniteQueryOptions(
      { pointId, diskIndex: disk, path, limit: 2000 },
      { getNextPageParam: (page) => page.nextCursor ?? undefined, staleTime: Number.POSITIVE_INFINITY },
    ),
  );
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const entries = useMemo(
    () => sortEntries(list.data?.pages.flatMap((page) => page.entries) ?? [], sort.sort, sort.desc),
    [list.data, sort],
  );
  const total = list.data?.pages[0]?.total ?? 0;
  const source = point.data?.disks.find((candidate) => candidate.index === disk);
  const leftOut = useMemo(
    () => new Set(source?.partitions.filter(({ content }) => content === 'leftOut').map(({ number }) => String(number))),
    [source],
  );
  return (
    <>
      <PageHead
        trail={[
          { label: 'Restore points', href: '/points' },
          { label: point.data?.machineName ?? 'Restore point', href: `/points/${encodeURIComponent(pointId)}` },
        ]}
        title={`Explore ${source?.name ?? 'disk'}`}
        note={
          point.data ? (
            <>
              As it was <Time iso={point.data.createdAt} show="both" />. Read from the vault without mounting anything.
            </>
          ) : undefined
        }
      />
      <Card className="overflow-hidden">
        <div className="flex min-h-13 flex-wrap items-center justify-between gap-2 border-line border-b px-5 py-2">
          <Crumbs pointId={pointId} disk={disk} path={path} />
          <div className="flex items-center gap-2">
            {ticked.size > 0 ? (
              <>
                <span className="text-ink-2">{formatCount(ticked.size, 'item')} ticked</span>
                <Button size="sm" onClick={() => setTicked(none)}>
                  Clear
                </Button>
                <Button size="sm" look="primary" onClick={() => setRestoring(true)}>
                  <FolderOutput aria-hidden />
                  Restore to this PC…
                </Button>
              </>
            ) : (
              <span className="text-[0.8125rem] text-ink-3">{list.isSuccess && formatCount(total, 'entry', 'entries')}</span>
            )}
          </div>
        </div>
        {list.isPending && <SkeletonRows rows={8} label="Reading the image" />}
        {list.isError && (
          <div className="p-5">
            <FailurePanel error={list.error} onRetry={() => void list.refetch()} />
          </div>
        )}
        {list.isSuccess && entries.length === 0 && (
          <Empty icon={FolderOpen} title="This folder is empty">
            It was empty when the restore point was made.
          </Empty>
        )}
        {entries.length > 0 && (
          <EntryList
            key={path}
            entries={entries}
            pointId={pointId}
            disk={disk}
            path={path}
            sort={sort}
            onSort={(next) => void setSort(next)}
            leftOut={path === '/' ? leftOut : none}
            ticked={ticked}
            onTick={setTicked}
          />
        )}
      </Card>
      {point.data && restoring && (
        <RestoreFilesDialog
          point={point.data}
          disk={disk}
          paths={[...ticked]}
          open
          onOpenChange={setRestoring}
          onStarted={() => setTicked(none)}
        />
      )}
    </>
  );
}

function Crumbs({ pointId, disk, path }: ExplorePageProps) {
  const parts = splitPath(path);
  return (
    <nav aria-label="Path in the image" className="min-w-0">
      <ol className="flex flex-wrap items-center gap-x-1 font-medium">
        <li>
          <Link
            href={exploreHref(pointId, disk, '/')}
            className="flex h-7 items-center gap-1.5 rounded-md px-1.5 text-ink-2 hover:bg-hover hover:text-ink"
            aria-current={parts.length === 0 ? 'page' : undefined}
          >
            <HardDrive className="size-4" aria-hidden />
            Partitions
          </Link>
        </li>
        {parts.map((part, index) => {
          const target = `/${parts.slice(0, index + 1).join('/')}`;
          const last = index === parts.length - 1;
          return (
            <li key={target} className="flex min-w-0 items-center gap-1">
              <span className="text-ink-3" aria-hidden>
                /
              </span>
              <Link
                href={exploreHref(pointId, disk, target)}
                aria-current={last ? 'page' : undefined}
                className={`flex h-7 max-w-60 items-center truncate rounded-md px-1.5 hover:bg-hover hover:text-ink ${last ? 'text-ink' : 'text-ink-2'}`}
              >
                {index === 0 ? `Partition ${part}` : part}
              </Link>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
