/** Jobs are rows first: whether the machine is online decides when they run, not whether they exist. */
import { type JobRequest, jobDisks, jobs, machines, type Queries } from '@diskfleet/db';
import type { Inventory, JobView, UserView } from '@diskfleet/protocol';
import { and, eq, sql } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { announceJob, type JobRow } from './move.ts';
import { wake } from './offer.ts';
import { toJobView } from './views.ts';

export interface NewJob {
  readonly machineId: string;
  readonly vaultId: string;
  readonly pointId: string | null;
  readonly subject: string;
  readonly request: JobRequest;
  /** Keys of the disks it works on; two jobs never run on one disk. */
  readonly diskKeys: readonly string[];
  /** The same key never makes a second job. */
  readonly idempotencyKey?: string;
  readonly retryOf?: string;
}

const hour = 3_600_000;
/** How long a job may wait for its machine. A restore waits only as long as its confirmation holds. */
const waitMs: Record<JobRequest['kind'], number> = {
  backup: 7 * 24 * hour,
  verify: 7 * 24 * hour,
  restoreFiles: 24 * hour,
  explore: hour / 30,
  restore: hour / 4,
};

/**
 * Inside a transaction of the caller. An equal job of this machine that still waits is returned instead of a second one; so is the
 * job with the same idempotency key.
 */
export async function insertJob(
  ctx: Ctx,
  tx: Queries,
  input: { user: UserView; job: NewJob },
): Promise<{ row: JobRow; isNew: boolean }> {
  const { user, job } = input;
  const at = ctx.now();
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`jobs ${job.machineId}`}, 0))`);
  const same = job.idempotencyKey
    ? eq(jobs.idempotencyKey, job.idempotencyKey)
    : and(
        eq(jobs.machineId, job.machineId),
        eq(jobs.vaultId, job.vaultId),
        eq(jobs.state, 'queued'),
        sql`${jobs.request} = ${JSON.stringify(job.request)}::jsonb`,
      );
  const [known] = await tx.select().from(jobs).where(same).limit(1);
  if (known) return { row: known, isNew: false };
  const { machineId, vaultId, pointId, subject, request, retryOf } = job;
  const values = {
    kind: request.kind,
    state: 'queued',
    machineId,
    vaultId,
    pointId,
    subject: subject.slice(0, 500),
    request,
    idempotencyKey: job.idempotencyKey ?? crypto.randomUUID(),
    createdAt: at,
    createdBy: user.name,
    expiresAt: new Date(at.getTime() + waitMs[request.kind]),
    retryOf,
  } as const;
  const [row] = await tx.insert(jobs).values(values).returning();
  if (!row) throw new ServerError('INTERNAL', 'a new job was not stored');
  const disks = [...new Set(job.diskKeys)].map((diskKey) => ({ jobId: row.id, machineId, diskKey }));
  if (disks.length > 0) await tx.insert(jobDisks).values(disks);
  await audit(tx, { at, actor: user.email, action: `jobs.${request.kind}`, subject, detail: row.id });
  return { row, isNew: true };
}

/** `insertJob` on its own, announced and offered. */
export async function createJob(ctx: Ctx, user: UserView, job: NewJob): Promise<JobView> {
  const machine = await approvedMachine(ctx, job.machineId);
  const { row, isNew } = await ctx.db.transaction((tx) => insertJob(ctx, tx, { user, job }));
  if (isNew) startSoon(ctx, row);
  return toJobView(ctx, row, machine.name);
}

/** After the commit. */
export function startSoon(ctx: Ctx, row: JobRow): void {
  announceJob(ctx, row);
  wake(ctx, row.machineId);
}

/** @throws ServerError NOT_FOUND, or the reason why it gets no jobs. */
export async function approvedMachine(ctx: Ctx, id: string): Promise<{ id: string; name: string; inventory: Inventory }> {
  const [machine] = await ctx.db.select().from(machines).where(eq(machines.id, id));
  if (!machine) throw new ServerError('NOT_FOUND', 'machine');
  if (machine.state === 'pending') throw new ServerError('AGENT_PENDING');
  if (machine.state === 'revoked') throw new ServerError('AGENT_REVOKED');
  return machine;
}
