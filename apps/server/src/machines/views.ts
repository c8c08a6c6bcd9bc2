import { agents, jobs, machines, points, vaults } from '@diskfleet/db';
import { keyFingerprint, type MachineSummary, type MachineView } from '@diskfleet/protocol';
import { and, asc, count, desc, eq, getTableColumns, gt, ilike, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { DEFAULT_OBJECTIVE_MS, protectionOf } from '../overview/protection.ts';

const { inventory: _inventory, ...briefColumns } = getTableColumns(machines);

type MachineRow = Omit<typeof machines.$inferSelect, 'inventory'>;
type AgentRow = typeof agents.$inferSelect;

interface MachineFacts {
  readonly machine: MachineRow;
  readonly agent: AgentRow;
  readonly newestPoint: { readonly recordedAt: Date; readonly verifiedOk: boolean | null; readonly vaultState: string } | null;
  /** What the recent restore points were made of: disk keys, joined by `+` where a point has several. */
  readonly recentSources: readonly string[];
  readonly lastBackup: { readonly state: string; readonly endedAt: Date | null } | null;
  readonly activeJobs: number;
}

export async function listMachines(
  ctx: Ctx,
  input: { search?: string; state: 'approved' | 'pending' | 'all' },
): Promise<readonly MachineSummary[]> {
  const state = input.state === 'all' ? undefined : eq(machines.state, input.state);
  const search = input.search?.trim();
  const like = search ? `%${search.replace(/[\\%_]/g, '\\$&')}%` : null;
  const hostname = sql`${machines.brief} ->> 'hostname'`;
  const found = like ? or(ilike(machines.name, like), sql`${hostname} ilike ${like}`) : undefined;
  return (await machineFacts(ctx, and(state, found))).map((facts) => toSummary(ctx, facts));
}

/** @throws ServerError NOT_FOUND. */
export async function getMachine(ctx: Ctx, id: string): Promise<MachineView> {
  const [facts] = await machineFacts(ctx, eq(machines.id, id));
  if (!facts) throw new ServerError('NOT_FOUND', 'machine');
  const { machine } = facts;
  const [row] = await ctx.db.select({ inventory: machines.inventory }).from(machines).where(eq(machines.id, id));
  if (!row) throw new ServerError('NOT_FOUND', 'machine');
  return {
    ...toSummary(ctx, facts),
    inventory: row.inventory,
    enrolledAt: machine.enrolledAt.toISOString(),
    approvedAt: machine.approvedAt?.toISOString() ?? null,
  };
}

/** Everything a summary is made of, for all machines asked for in five queries. */
export async function machineFacts(ctx: Ctx, where: SQL | undefined): Promise<readonly MachineFacts[]> {
  const rows = await ctx.db
    .select({ machine: briefColumns, agent: agents })
    .from(machines)
    .innerJoin(agents, eq(agents.machineId, machines.id))
    .where(where)
    .orderBy(asc(sql`lower(${machines.name})`), asc(machines.id));
  const ids = rows.map(({ machine }) => machine.id);
  if (ids.length === 0) return [];
  const newest = await ctx.db
    .selectDistinctOn([points.machineId], {
      machineId: points.machineId,
      recordedAt: points.recordedAt,
      verifiedOk: points.verifiedOk,
      vaultState: vaults.state,
    })
    .from(points)
    .innerJoin(vaults, eq(vaults.id, points.vaultId))
    .where(inArray(points.machineId, ids))
    .orderBy(points.machineId, desc(points.recordedAt));
  const since = new Date(ctx.now().getTime() - DEFAULT_OBJECTIVE_MS);
  const recent = await ctx.db
    .selectDistinct({ machineId: points.machineId, source: points.source })
    .from(points)
    .where(and(inArray(points.machineId, ids), gt(points.recordedAt, since)));
  const backups = await ctx.db
    .selectDistinctOn([jobs.machineId], { machineId: jobs.machineId, state: jobs.state, endedAt: jobs.endedAt })
    .from(jobs)
    .where(and(inArray(jobs.machineId, ids), eq(jobs.kind, 'backup'), inArray(jobs.state, ['succeeded', 'failed', 'missed'])))
    .orderBy(jobs.machineId, desc(jobs.endedAt));
  const active = await ctx.db
    .select({ machineId: jobs.machineId, n: count() })
    .from(jobs)
    .where(and(inArray(jobs.machineId, ids), inArray(jobs.state, ['queued', 'offered', 'running'])))
    .groupBy(jobs.machineId);
  const newestOf = new Map(newest.map((row) => [row.machineId, row]));
  const sourcesOf = Map.groupBy(recent, (row) => row.machineId);
  const backupOf = new Map(backups.map((row) => [row.machineId, row]));
  const activeOf = new Map(active.map(({ machineId, n }) => [machineId, n]));
  return rows.map(({ machine, agent }) => ({
    machine,
    agent,
    newestPoint: newestOf.get(machine.id) ?? null,
    recentSources: (sourcesOf.get(machine.id) ?? []).map(({ source }) => source),
    lastBackup: backupOf.get(machine.id) ?? null,
    activeJobs: activeOf.get(machine.id) ?? 0,
  }));
}

export function toSummary(ctx: Ctx, facts: MachineFacts): MachineSummary {
  const { machine, agent, newestPoint, lastBackup, activeJobs } = facts;
  const { id, name, brief } = machine;
  const online = ctx.hub.sessions.has(id);
  const protection = protectionOf({
    now: ctx.now(),
    newestPointAt: newestPoint?.recordedAt ?? null,
    newestVerifyFailed: newestPoint?.verifiedOk === false,
    vaultReachable: newestPoint?.vaultState !== 'unreachable',
    lastBackupFailedAt: lastBackup && lastBackup.state !== 'succeeded' ? lastBackup.endedAt : null,
    uncovered: uncoveredOf(facts),
  });
  const copied = machine.state === 'approved' && agent.copySeenAt !== null;
  return {
    id,
    name,
    hostname: brief.hostname,
    os: brief.os,
    state: copied ? 'quarantined' : machine.state,
    connection: online ? 'online' : 'offline',
    lastSeenAt: online ? ctx.now().toISOString() : (agent.lastSeenAt?.toISOString() ?? null),
    protection: protection.state,
    protectionReason: protection.reason,
    newestPointAt: newestPoint?.recordedAt.toISOString() ?? null,
    disks: brief.disks,
    totalBytes: brief.totalBytes,
    activeJobs,
    keyFingerprint: keyFingerprint(agent.publicKey),
    agentVersion: agent.agentVersion,
    limitation: copied ? copyText(agent.copySeenAt) : brief.limitation,
  };
}

function uncoveredOf({ machine, recentSources }: MachineFacts): string[] {
  const covered = new Set(recentSources.flatMap((source) => [source, ...source.split('+')]));
  return (machine.brief.content ?? []).filter(({ key }) => !covered.has(key)).map(({ name }) => name);
}

function copyText(at: Date | null): string {
  return `Another PC tried to connect with this one's identity (${at?.toISOString() ?? ''}) and was turned away. Enrol the copy anew, then approve this machine again.`;
}
