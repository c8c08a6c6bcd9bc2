import { jobLog, jobs, machines } from '@diskfleet/db';
import type { JobDetail, JobState, JobView } from '@diskfleet/protocol';
import { and, asc, desc, eq, inArray, type SQL, sql } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import type { JobRow } from './move.ts';

interface JobsQuery {
  readonly machineId?: string;
  readonly states?: readonly JobState[];
  readonly limit: number;
  readonly cursor?: string | null;
}

/** Newest first. The cursor is the last job seen. */
export async function listJobs(ctx: Ctx, input: JobsQuery): Promise<{ jobs: readonly JobView[]; nextCursor: string | null }> {
  const { machineId, states, limit } = input;
  const where = and(
    machineId ? eq(jobs.machineId, machineId) : undefined,
    states && states.length > 0 ? inArray(jobs.state, [...states]) : undefined,
    after(input.cursor),
  );
  const rows = await selectJobs(ctx, where, limit + 1);
  const page = rows.slice(0, limit);
  const last = page.at(-1)?.job;
  return {
    jobs: page.map(({ job, machineName }) => toJobView(ctx, job, machineName)),
    nextCursor: rows.length > limit && last ? last.id : null,
  };
}

function after(cursor: string | null | undefined): SQL | undefined {
  if (!cursor || !/^[0-9a-f-]{36}$/.test(cursor)) return undefined;
  const seen = sql`(select ${sql.identifier('created_at')}, ${sql.identifier('id')} from jobs as seen where seen.id = ${cursor})`;
  return sql`(${jobs.createdAt}, ${jobs.id}) < ${seen}`;
}

export function selectJobs(ctx: Ctx, where: SQL | undefined, limit: number) {
  return ctx.db
    .select({ job: jobs, machineName: machines.name })
    .from(jobs)
    .innerJoin(machines, eq(machines.id, jobs.machineId))
    .where(where)
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(limit);
}

/** @throws ServerError NOT_FOUND. */
export async function findJob(ctx: Ctx, id: string): Promise<{ job: JobRow; machineName: string }> {
  const [row] = await selectJobs(ctx, eq(jobs.id, id), 1);
  if (!row) throw new ServerError('NOT_FOUND', 'job');
  return row;
}

export async function getJobView(ctx: Ctx, id: string): Promise<JobView> {
  const { job, machineName } = await findJob(ctx, id);
  return toJobView(ctx, job, machineName);
}

export async function getJobDetail(ctx: Ctx, id: string): Promise<JobDetail> {
  const view = await getJobView(ctx, id);
  const lines = await ctx.db.select().from(jobLog).where(eq(jobLog.jobId, id)).orderBy(asc(jobLog.id));
  return { ...view, log: lines.map(({ at, level, text }) => ({ at: at.toISOString(), level, text })) };
}

export function toJobView(ctx: Ctx, job: JobRow, machineName: string): JobView {
  const { id, kind, state, machineId, subject, attempt, createdBy, result, failure, pointId } = job;
  return {
    id,
    kind,
    state,
    machineId,
    machineName,
    subject,
    attempt,
    createdAt: job.createdAt.toISOString(),
    createdBy,
    startedAt: job.startedAt?.toISOString() ?? null,
    endedAt: job.endedAt?.toISOString() ?? null,
    lostContact: (state === 'offered' || state === 'running') && !ctx.hub.sessions.has(machineId),
    progress: ctx.progress.get(id) ?? null,
    result,
    failure,
    pointId,
  };
}
