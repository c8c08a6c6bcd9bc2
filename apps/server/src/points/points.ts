import { machines, points, vaults } from '@diskfleet/db';
import type { PointDetail, PointView, UserView } from '@diskfleet/protocol';
import { and, desc, eq, type SQL } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';

const MOST_LISTED = 2000;

/** Newest first. */
export async function listPoints(ctx: Ctx, input: { machineId?: string; vaultId?: string }): Promise<readonly PointView[]> {
  const { machineId, vaultId } = input;
  const where = and(machineId ? eq(points.machineId, machineId) : undefined, vaultId ? eq(points.vaultId, vaultId) : undefined);
  return (await select(ctx, where)).map(toPointView);
}

/** @throws ServerError NOT_FOUND. */
export async function findPoint(ctx: Ctx, id: string): Promise<JoinedPoint> {
  const [row] = await select(ctx, eq(points.id, id));
  if (!row) throw new ServerError('POINT_NOT_FOUND');
  return row;
}

export async function getPoint(ctx: Ctx, id: string): Promise<PointDetail> {
  const row = await findPoint(ctx, id);
  return { ...toPointView(row), disks: row.point.disks, warnings: row.point.warnings };
}

export async function changePoint(
  ctx: Ctx,
  user: UserView,
  input: { id: string; pinned?: boolean; comment?: string },
): Promise<PointView> {
  const { id, ...change } = input;
  const before = await findPoint(ctx, id);
  await ctx.db.transaction(async (tx) => {
    await tx.update(points).set(change).where(eq(points.id, id));
    const action = change.pinned === undefined ? 'points.setComment' : 'points.setPinned';
    await audit(tx, { at: ctx.now(), actor: user.email, action, subject: pointName(before), detail: JSON.stringify(change) });
  });
  ctx.live.publish({ kind: 'point', pointId: id });
  return toPointView(await findPoint(ctx, id));
}

export type JoinedPoint = Awaited<ReturnType<typeof select>>[number];

function select(ctx: Ctx, where: SQL | undefined) {
  return ctx.db
    .select({ point: points, vaultName: vaults.name, machineName: machines.name })
    .from(points)
    .innerJoin(vaults, eq(vaults.id, points.vaultId))
    .innerJoin(machines, eq(machines.id, points.machineId))
    .where(where)
    .orderBy(desc(points.createdAt), desc(points.id))
    .limit(MOST_LISTED);
}

/** For subjects of jobs and audit entries. */
export function pointName({ point, machineName }: JoinedPoint): string {
  return `${diskNames(point)} of ${machineName}, ${point.createdAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** The series is known by disk keys; people know their disks by name. */
function diskNames({ disks, source }: JoinedPoint['point']): string {
  return disks.map(({ name }) => name).join(', ') || source;
}

function toPointView({ point, vaultName, machineName }: JoinedPoint): PointView {
  const { id, vaultId, kind, method, machineId, sizeBytes, usedBytes, newBytes, storedBytes, pinned, comment } = point;
  const verified =
    point.verifiedAt && point.verifiedOk !== null ? { at: point.verifiedAt.toISOString(), ok: point.verifiedOk } : null;
  return {
    id,
    vaultId,
    vaultName,
    kind,
    method,
    machineId,
    machineName,
    source: diskNames(point),
    createdAt: point.createdAt.toISOString(),
    sizeBytes,
    usedBytes,
    newBytes,
    storedBytes,
    pinned,
    comment,
    verified,
    ...(point.goesAt && { goesAt: point.goesAt.toISOString() }),
  };
}
