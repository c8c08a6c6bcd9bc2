import { restorePlans } from '@diskfleet/db';
import { type JobView, targetRefShape, type UserView } from '@diskfleet/protocol';
import { eq } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { approvedMachine, insertJob, startSoon } from '../jobs/createJob.ts';
import { toJobView } from '../jobs/views.ts';
import { findPoint, pointName } from '../points/points.ts';

/**
 * Turns a confirmed plan into a job. A plan starts one job, ever: a second call gives the same one.
 * @throws ServerError NOT_FOUND, CONFIRMATION_WRONG, PLAN_EXPIRED, PLAN_DOES_NOT_FIT, NOT_ALLOWED (somebody else's plan).
 */
export async function startDiskRestore(
  ctx: Ctx,
  user: UserView,
  input: { planId: string; confirmText: string },
): Promise<JobView> {
  const [plan] = await ctx.db.select().from(restorePlans).where(eq(restorePlans.id, input.planId));
  if (!plan) throw new ServerError('NOT_FOUND', 'plan');
  if (plan.createdBy !== user.email) throw new ServerError('NOT_ALLOWED', 'who starts a restore has looked at its plan');
  if (input.confirmText.trim() !== plan.confirmText) throw new ServerError('CONFIRMATION_WRONG');
  if (!plan.usedAt && plan.expiresAt <= ctx.now()) throw new ServerError('PLAN_EXPIRED');
  if (!plan.fits) throw new ServerError('PLAN_DOES_NOT_FIT');
  const machine = await approvedMachine(ctx, plan.machineId);
  const point = await findPoint(ctx, plan.pointId);
  const target = targetRefShape.parse(plan.target);
  const targetKey = target.kind === 'disk' ? target.diskKey : `newFile:${target.fileName}`;
  const targetName =
    target.kind === 'newFile'
      ? target.fileName
      : (machine.inventory.disks.find(({ key }) => key === target.diskKey)?.name ?? target.diskKey);
  const { pointId, diskIndex, planHash, targetFingerprint } = plan;
  const approvedBy = user.email;
  const request = { kind: 'restore', pointId, diskIndex, target, planHash, targetKey, targetFingerprint, approvedBy } as const;
  const { row, isNew } = await ctx.db.transaction(async (tx) => {
    const job = {
      machineId: machine.id,
      vaultId: point.point.vaultId,
      pointId,
      subject: `${pointName(point)} → ${targetName}`,
      request,
      diskKeys: [targetKey],
      idempotencyKey: `plan:${plan.id}`,
    };
    const made = await insertJob(ctx, tx, { user, job });
    if (!made.isNew) return made;
    const at = ctx.now();
    await tx.update(restorePlans).set({ usedAt: at }).where(eq(restorePlans.id, plan.id));
    const detail = `plan ${planHash}, confirmed by typing "${plan.confirmText}"`;
    await audit(tx, { at, actor: user.email, action: 'restores.start', subject: job.subject, detail });
    return made;
  });
  if (isNew) startSoon(ctx, row);
  return toJobView(ctx, row, machine.name);
}
