import { auditLog, jobs, machines, points, vaults } from '@diskfleet/db';
import type { OverviewView } from '@diskfleet/protocol';
import { and, desc, eq, gte, inArray, min, sql, sum } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { selectJobs, toJobView } from '../jobs/views.ts';
import { machineFacts, toSummary } from '../machines/views.ts';
import { type DayFacts, dayStrip, daysUntilFull } from './days.ts';

const STRIP_DAYS = 30;
const PACE_DAYS = 14;
const DAY_MS = 86_400_000;
const MOST_ATTENTION = 50;

type Summary = ReturnType<typeof toSummary>;
type Attention = OverviewView['attention'][number];

export async function getOverview(ctx: Ctx): Promise<OverviewView> {
  const summaries = (await machineFacts(ctx, undefined)).map((facts) => toSummary(ctx, facts));
  const known = summaries.filter(({ state }) => state === 'approved' || state === 'quarantined');
  const pending = summaries.filter(({ state }) => state === 'pending');
  const vaultRows = await ctx.db.select().from(vaults);
  const running = await selectJobs(ctx, inArray(jobs.state, ['queued', 'offered', 'running']), 20);
  const recent = await selectJobs(ctx, inArray(jobs.state, ['succeeded', 'failed', 'cancelled', 'missed']), 10);
  const view = ({ job, machineName }: (typeof running)[number]) => toJobView(ctx, job, machineName);
  const recentJobs = recent.map(view);
  const allPoints = await ctx.db.$count(points);
  return {
    counts: countStates(known, pending.length),
    attention: [
      ...pending.map(({ id, name }) => note('pending', `${name} waits for approval.`, { machineId: id })),
      ...vaultNotes(vaultRows),
      ...known.flatMap(machineNotes),
    ].slice(0, MOST_ATTENTION),
    days: await days(ctx),
    storage: await storage(ctx, vaultRows),
    runningJobs: running.map(view),
    recentJobs,
    checklist: {
      vault: vaultRows.length > 0,
      recoveryKit: vaultRows.some((row) => row.recoveryKitDownloadedAt !== null),
      machine: known.length > 0,
      firstPoint: allPoints > 0,
      openedPoint:
        (await ctx.db.select({ seq: auditLog.seq }).from(auditLog).where(eq(auditLog.action, 'explorer.list')).limit(1)).length >
        0,
    },
  };
}

function countStates(known: readonly Summary[], pending: number): OverviewView['counts'] {
  const of = (state: Summary['protection']) => known.filter(({ protection }) => protection === state).length;
  return {
    protected: of('protected'),
    atRisk: of('at-risk'),
    overdue: of('overdue'),
    never: of('never'),
    paused: of('paused'),
    offline: known.filter(({ connection }) => connection === 'offline').length,
    pending,
    total: known.length,
  };
}

function machineNotes(machine: Summary): Attention[] {
  const { id, name, protection, protectionReason } = machine;
  const notes: Attention[] = [];
  if (machine.state === 'quarantined') notes.push(note('at-risk', `${name}: another PC uses its identity.`, { machineId: id }));
  if (protection === 'never' || protection === 'overdue' || protection === 'at-risk') {
    notes.push(note(protection, `${name}: ${protectionReason}`, { machineId: id }));
  }
  return notes;
}

function vaultNotes(rows: readonly (typeof vaults.$inferSelect)[]): Attention[] {
  return rows.flatMap(({ id, name, state, freeBytes, totalBytes, recoveryKitDownloadedAt }) => {
    const notes: Attention[] = [];
    if (state === 'unreachable') notes.push(note('vault', `The vault ${name} cannot be reached.`, { vaultId: id }));
    if (freeBytes !== null && totalBytes !== null && freeBytes < totalBytes * 0.1) {
      notes.push(note('vault', `The vault ${name} has less than a tenth of its room left.`, { vaultId: id }));
    }
    if (!recoveryKitDownloadedAt) notes.push(note('vault', `The recovery kit of ${name} was not saved yet.`, { vaultId: id }));
    return notes;
  });
}

function note(kind: Attention['kind'], text: string, about: { machineId?: string; jobId?: string; vaultId?: string }): Attention {
  return { kind, text, machineId: about.machineId ?? null, jobId: about.jobId ?? null, vaultId: about.vaultId ?? null };
}

async function days(ctx: Ctx): Promise<OverviewView['days']> {
  const from = new Date(ctx.now().getTime() - STRIP_DAYS * DAY_MS);
  const pointDay = sql<string>`to_char(${points.recordedAt} at time zone 'UTC', 'YYYY-MM-DD')`;
  const jobDay = sql<string>`to_char(${jobs.endedAt} at time zone 'UTC', 'YYYY-MM-DD')`;
  const made = await ctx.db
    .select({
      day: pointDay,
      n: sql<number>`count(*)::int`,
      warnings: sql<number>`(count(*) filter (where jsonb_array_length(${points.warnings}) > 0))::int`,
    })
    .from(points)
    .where(gte(points.recordedAt, from))
    .groupBy(sql`1`);
  const broken = await ctx.db
    .select({ day: jobDay, n: sql<number>`count(*)::int` })
    .from(jobs)
    .where(and(gte(jobs.endedAt, from), eq(jobs.kind, 'backup'), inArray(jobs.state, ['failed', 'missed'])))
    .groupBy(sql`1`);
  const facts = new Map<string, DayFacts>();
  for (const { day, n, warnings } of made) facts.set(day, { day, points: n, failed: 0, warnings });
  for (const { day, n } of broken) facts.set(day, { ...(facts.get(day) ?? { day, points: 0, warnings: 0 }), failed: n });
  const [first] = await ctx.db.select({ at: min(machines.approvedAt) }).from(machines);
  return dayStrip({ now: ctx.now(), count: STRIP_DAYS, since: first?.at ?? null, facts: [...facts.values()] });
}

async function storage(ctx: Ctx, rows: readonly (typeof vaults.$inferSelect)[]): Promise<OverviewView['storage']> {
  const frees = rows.flatMap(({ freeBytes }) => (freeBytes === null ? [] : [freeBytes]));
  const freeBytes = frees.length > 0 ? Math.min(...frees) : null;
  const from = new Date(ctx.now().getTime() - PACE_DAYS * DAY_MS);
  const [pace] = await ctx.db
    .select({ stored: sum(points.storedBytes), first: min(points.recordedAt) })
    .from(points)
    .where(gte(points.recordedAt, from));
  const newest = ctx.db
    .selectDistinctOn([points.machineId, points.source], { usedBytes: points.usedBytes })
    .from(points)
    .orderBy(points.machineId, points.source, desc(points.recordedAt))
    .as('newest');
  const [held] = await ctx.db.select({ used: sum(newest.usedBytes) }).from(newest);
  const overDays = pace?.first ? (ctx.now().getTime() - pace.first.getTime()) / DAY_MS : 0;
  return {
    storedBytes: rows.reduce((total, { storedBytes }) => total + storedBytes, 0),
    protectedBytes: Number(held?.used ?? 0),
    freeBytes,
    daysUntilFull: daysUntilFull({ freeBytes, storedBytes: Number(pace?.stored ?? 0), overDays }),
    vaults: rows.length,
  };
}
