'use client';
import type { JobView } from '@diskfleet/protocol';
import Link from 'next/link';
import { formatShare } from '@/format/bytes';
import { formatDuration } from '@/format/time';
import { failureByCode } from '@/trpc/failure';
import { Meter } from '@/ui/Feedback';
import { Status } from '@/ui/Status';
import { rowLink, Table, Td, Th, Tr } from '@/ui/Table';
import { Time } from '@/ui/Time';
import { kindNames, phaseName, resultLine, statusOf } from './jobWords';

interface JobTableProps {
  readonly jobs: readonly JobView[];
  readonly showMachine?: boolean;
  /** In a narrow card: outcome below the state, nothing else. */
  readonly brief?: boolean;
}

export function JobTable({ jobs, showMachine = true, brief = false }: JobTableProps) {
  return (
    <Table label="Jobs">
      <thead>
        <tr>
          <Th>Job</Th>
          {showMachine && <Th className="hidden sm:table-cell">Machine</Th>}
          <Th>State</Th>
          {!brief && <Th className="hidden lg:table-cell">Outcome</Th>}
          {!brief && <Th className="hidden text-right md:table-cell">Took</Th>}
          <Th className="text-right">When</Th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <Tr key={job.id}>
            <Td>
              <Link href={`/jobs/${job.id}`} className={rowLink}>
                {kindNames[job.kind]}
              </Link>
              <div className="max-w-40 truncate sm:max-w-[22rem] text-[0.8125rem] text-ink-3">{job.subject}</div>
            </Td>
            {showMachine && <Td className="hidden sm:table-cell">{job.machineName}</Td>}
            <Td>
              <Status name={statusOf(job)} />
            </Td>
            {!brief && (
              <Td className="hidden max-w-[24rem] lg:table-cell">
                <Outcome job={job} />
              </Td>
            )}
            {!brief && (
              <Td className="hidden whitespace-nowrap text-right text-ink-2 md:table-cell">
                {job.startedAt && job.endedAt
                  ? formatDuration((Date.parse(job.endedAt) - Date.parse(job.startedAt)) / 1000)
                  : '–'}
              </Td>
            )}
            <Td className="whitespace-nowrap text-right text-ink-2">
              <Time iso={job.endedAt ?? job.startedAt ?? job.createdAt} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  );
}

function Outcome({ job }: { job: JobView }) {
  if (job.result) return <span className="text-ink-2">{resultLine(job.result)}</span>;
  if (job.failure) return <span className="text-bad">{failureByCode(job.failure.code).what}</span>;
  if (job.progress && job.state === 'running') {
    return (
      <div className="flex min-w-52 items-center gap-3">
        <Meter
          label={`Progress of ${job.subject}`}
          value={job.progress.doneBytes}
          max={job.progress.totalBytes}
          className="max-w-32"
        />
        <span className="whitespace-nowrap text-[0.8125rem] text-ink-2">
          {formatShare(job.progress.doneBytes, job.progress.totalBytes)} · {phaseName(job.progress.phase)}
        </span>
      </div>
    );
  }
  if (job.lostContact) return <span className="text-ink-2">Waits for the PC to come back</span>;
  return <span className="text-ink-3">–</span>;
}
