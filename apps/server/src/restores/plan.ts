/** A restore plan: decided from the saved disk and a fresh inventory, stored with its hash, good for 15 minutes and one use. */
import { points, restorePlans } from '@diskfleet/db';
import { planRestoreToLayout, type RestorePlan } from '@diskfleet/engine';
import type { RestorePlanView, TargetRef, UserView } from '@diskfleet/protocol';
import { desc, eq, sql } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { approvedMachine } from '../jobs/createJob.ts';
import { refreshMachine } from '../machines/verbs.ts';
import { findPoint, pointName } from '../points/points.ts';
import { openSavedPoint, openVaultById } from '../vaults/openVaults.ts';
import { type FoundTarget, findTarget } from './target.ts';

const PLAN_MS = 15 * 60_000;

interface PlanInput {
  readonly pointId: string;
  readonly diskIndex: number;
  readonly machineId: string;
  readonly target: TargetRef;
}

/** @throws what `findTarget`, the vault and the planner throw; AGENT_OFFLINE: a plan needs the target as it is now. */
export async function planDiskRestore(ctx: Ctx, user: UserView, input: PlanInput): Promise<RestorePlanView> {
  const { pointId, diskIndex } = input;
  const point = await findPoint(ctx, pointId);
  const source = point.point.disks[diskIndex];
  if (!source) throw new ServerError('NOT_FOUND', 'the restore point has no such disk');
  await approvedMachine(ctx, input.machineId);
  const machine = await refreshMachine(ctx, input.machineId);
  const target = await findTarget(machine.inventory, input.target);
  const { vaultId } = point.point;
  await openSavedPoint(ctx, vaultId, pointId);
  const plan = await planRestoreToLayout(await openVaultById(ctx, vaultId), { pointId, diskIndex }, target.plan);
  const expiresAt = new Date(ctx.now().getTime() + PLAN_MS);
  const confirmText = `${machine.name} ${target.confirmTail}`;
  const view = {
    expiresAt: expiresAt.toISOString(),
    confirmText,
    source,
    machine: { id: machine.id, name: machine.name },
    targetBefore: target.disk,
    losses: await describeLosses(ctx, plan, target),
    ...visible(plan),
  };
  const planId = await ctx.db.transaction(async (tx) => {
    const { planHash, fits, estimatedBytes } = plan;
    const facts = { planHash, fits, estimatedBytes, confirmText, expiresAt, createdBy: user.email };
    const targetFingerprint = plan.target.fingerprint;
    const values = { ...facts, pointId, diskIndex, machineId: machine.id, target: input.target, targetFingerprint, view };
    const [row] = await tx.insert(restorePlans).values(values).returning({ id: restorePlans.id });
    if (!row) throw new ServerError('INTERNAL', 'a plan was not stored');
    const detail = `to ${target.plan.name} of ${machine.name}, plan ${planHash.slice(0, 12)}`;
    await audit(tx, { at: ctx.now(), actor: user.email, action: 'restores.plan', subject: pointName(point), detail });
    return row.id;
  });
  return { planId, ...view };
}

/** What its maker was shown, word for word. @throws ServerError NOT_FOUND, NOT_ALLOWED (somebody else's plan). */
export async function getPlan(ctx: Ctx, user: UserView, planId: string): Promise<RestorePlanView> {
  const [plan] = await ctx.db.select().from(restorePlans).where(eq(restorePlans.id, planId));
  if (!plan?.view) throw new ServerError('NOT_FOUND', 'plan');
  if (plan.createdBy !== user.email) throw new ServerError('NOT_ALLOWED', 'who starts a restore has looked at its plan');
  return { planId, ...plan.view };
}

function visible(plan: RestorePlan) {
  const { planHash, fits, reasons, warnings, pointId, diskIndex, bootSteps, estimatedBytes } = plan;
  const { path, name, serial, sizeBytes, create } = plan.target;
  const partitions = plan.partitions.map(
    ({ number, action, fromBytes, toBytes, toStartBytes, label, filesystem, content, untouched }) => {
      const about = { number, action, fromBytes, toBytes, toStartBytes, label, filesystem };
      return content === undefined ? about : { ...about, content, untouched: untouched === true };
    },
  );
  const target = { path, name, serial, sizeBytes, create };
  return { planHash, fits, reasons, warnings, pointId, diskIndex, target, partitions, bootSteps, estimatedBytes };
}

/** Each loss with the newest restore point that holds the same filesystem or, without one, the same partition. */
async function describeLosses(ctx: Ctx, plan: RestorePlan, target: FoundTarget): Promise<RestorePlanView['losses']> {
  const losses = [];
  for (const { number, label, filesystem, usedBytes, sizeBytes } of plan.losses) {
    const partition = target.disk?.partitions.find((one) => one.number === number) ?? null;
    const uuid = (partition ? partition.filesystem?.uuid : target.disk?.filesystem?.uuid) || null;
    const newestPoint = await newestWith(ctx, { uuid, partitionId: partition?.id || null });
    losses.push({ label, filesystem, usedBytes, sizeBytes, newestPoint });
  }
  return losses;
}

async function newestWith(ctx: Ctx, { uuid, partitionId }: { uuid: string | null; partitionId: string | null }) {
  const patterns = uuid
    ? [[{ partitions: [{ filesystem: { uuid } }] }], [{ filesystem: { uuid } }]]
    : partitionId
      ? [[{ partitions: [{ id: partitionId }] }]]
      : [];
  if (patterns.length === 0) return null;
  const found = patterns.map((pattern) => sql`${points.disks} @> ${JSON.stringify(pattern)}::jsonb`);
  const [row] = await ctx.db
    .select({ id: points.id, createdAt: points.createdAt })
    .from(points)
    .where(sql.join(found, sql` or `))
    .orderBy(desc(points.createdAt))
    .limit(1);
  return row ? { id: row.id, createdAt: row.createdAt.toISOString() } : null;
}
