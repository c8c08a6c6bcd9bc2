'use client';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { History, ShieldCheck } from 'lucide-react';
import { useTRPC, useTRPCClient } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Empty, Note, SkeletonRows } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { Table, Td, Th, Tr } from '@/ui/Table';
import { Time } from '@/ui/Time';
import { FailurePanel } from '../errors/FailurePanel';
import { actionWords } from './actionWords';

export function ActivityPage() {
  const trpc = useTRPC();
  const client = useTRPCClient();
  const list = useInfiniteQuery({
    queryKey: [...trpc.audit.list.pathKey(), 'pages'],
    queryFn: ({ pageParam, signal }) =>
      client.audit.list.query({ limit: 100, ...(pageParam ? { beforeSeq: pageParam } : {}) }, { signal }),
    initialPageParam: 0,
    getNextPageParam: (page) => page.nextBeforeSeq ?? undefined,
  });
  const verify = useMutation(trpc.audit.verify.mutationOptions());
  const entries = list.data?.pages.flatMap((page) => page.entries) ?? [];
  return (
    <>
      <PageHead
        title="Activity"
        note="Who did what. Entries are chained by hash: none can be changed or taken out unnoticed."
        action={
          <Button busy={verify.isPending} onClick={() => verify.mutate()}>
            <ShieldCheck aria-hidden />
            Verify log
          </Button>
        }
      />
      {verify.data &&
        (verify.data.ok ? (
          <Note tone="ok" icon={ShieldCheck} className="mb-4" title="The log is whole">
            All {verify.data.entries.toLocaleString('en-US')} entries follow from one another.
          </Note>
        ) : (
          <Note tone="bad" icon={ShieldCheck} className="mb-4" title="The log was changed">
            The chain is broken at entry {verify.data.brokenAtSeq}. Entries before it are intact.
          </Note>
        ))}
      {verify.isError && <FailurePanel error={verify.error} className="mb-4" />}
      {list.isError && <FailurePanel error={list.error} onRetry={() => void list.refetch()} />}
      {!list.isError && (
        <Card className="overflow-hidden">
          {list.isPending && <SkeletonRows rows={8} />}
          {list.isSuccess && entries.length === 0 && (
            <Empty icon={History} title="Nothing has happened yet">
              Every sign-in, approval, backup, restore and every look into a restore point is noted here.
            </Empty>
          )}
          {entries.length > 0 && (
            <Table label="Activity">
              <thead>
                <tr>
                  <Th>When</Th>
                  <Th>Who</Th>
                  <Th>What</Th>
                  <Th>Subject</Th>
                  <Th className="hidden md:table-cell">Detail</Th>
                  <Th className="hidden text-right sm:table-cell">No.</Th>
                </tr>
              </thead>
              <tbody>
                {entries.map((entry) => (
                  <Tr key={entry.seq}>
                    <Td className="h-11 whitespace-nowrap text-ink-2">
                      <Time iso={entry.at} show="absolute" />
                    </Td>
                    <Td className="h-11 whitespace-nowrap">{entry.actor}</Td>
                    <Td className="whitespace-nowrap">
                      {actionWords(entry.action)}
                      <div className="font-mono text-ink-3 text-xs">{entry.action}</div>
                    </Td>
                    <Td className="h-11 max-w-64 truncate">{entry.subject}</Td>
                    <Td className="hidden h-11 max-w-80 truncate text-ink-2 md:table-cell">{entry.detail}</Td>
                    <Td className="hidden h-11 text-right text-ink-3 sm:table-cell">{entry.seq}</Td>
                  </Tr>
                ))}
              </tbody>
            </Table>
          )}
        </Card>
      )}
      {list.hasNextPage && (
        <div className="mt-4 flex justify-center">
          <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Show older entries
          </Button>
        </div>
      )}
    </>
  );
}
