/** What a person can ask for. Each checks that it makes sense now; the agent checks again when it runs. */
import type { JobSpecOf, JobView, UserView } from '@diskfleet/protocol';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { sendTo } from '../hub/state.ts';
import { findPoint, pointName } from '../points/points.ts';
import { findVault } from '../vaults/vaults.ts';
import { createJob } from './createJob.ts';
import { changeJob } from './move.ts';
import { wake } from './offer.ts';
import { isOpen } from './transition.ts';
import { findJob, getJobView } from './views.ts';

type Ask<K extends 'verify' | 'restoreFiles' | 'explore'> = Omit<JobSpecOf<K>, 'kind' | 'vault'> & { readonly machineId: string };

export async function verifyVault(ctx: Ctx, user: UserView, input: Ask<'verify'> & { vaultId: string }): Promise<JobView> {
  const { machineId, vaultId, level, pointId } = input;
  const vault = await findVault(ctx, vaultId);
  const point = pointId === null ? null : await findPoint(ctx, pointId);
  if (point && point.point.vaultId !== vaultId) throw new ServerError('POINT_NOT_FOUND');
  const subject = point ? pointName(point) : vault.name;
  return createJob(ctx, user, {
    machineId,
    vaultId,
    pointId,
    subject,
    request: { kind: 'verify', level, pointId },
    diskKeys: [],
  });
}

export async function restoreFiles(ctx: Ctx, user: UserView, input: Ask<'restoreFiles'>): Promise<JobView> {
  const { machineId, ...rest } = input;
  const point = await findPointDisk(ctx, input);
  const what = input.paths.length === 1 ? input.paths[0] : `${input.paths.length} files and folders`;
  const subject = `${what} from ${pointName(point)} to ${input.destination}`;
  const { vaultId } = point.point;
  const request = { kind: 'restoreFiles', ...rest } as const;
  return createJob(ctx, user, { machineId, vaultId, pointId: input.pointId, subject, request, diskKeys: [] });
}

export async function exploreOnMachine(ctx: Ctx, user: UserView, input: Ask<'explore'>): Promise<JobView> {
  const { machineId, ...rest } = input;
  const point = await findPointDisk(ctx, input);
  const { vaultId } = point.point;
  const subject = `${input.path} of ${pointName(point)}`;
  return createJob(ctx, user, {
    machineId,
    vaultId,
    pointId: input.pointId,
    subject,
    request: { kind: 'explore', ...rest },
    diskKeys: [],
  });
}

async function findPointDisk(ctx: Ctx, input: { pointId: string; diskIndex: number }) {
  const point = await findPoint(ctx, input.pointId);
  if (input.diskIndex >= point.point.disks.length) throw new ServerError('NOT_FOUND', 'the restore point has no such disk');
  return point;
}

/** A waiting job ends at once; a running one when its agent has stopped. */
export async function cancelJob(ctx: Ctx, user: UserView, id: string): Promise<JobView> {
  const { job } = await findJob(ctx, id);
  const changed = await changeJob(ctx, { jobId: id, machineId: job.machineId, event: { kind: 'askCancel' } });
  if (changed) {
    await audit(ctx.db, { at: ctx.now(), actor: user.email, action: 'jobs.cancel', subject: job.subject, detail: id });
    const session = ctx.hub.sessions.get(job.machineId);
    if (isOpen(changed.state) && session) sendTo(session.socket, { type: 'cancel', jobId: id });
    wake(ctx, job.machineId);
  }
  return getJobView(ctx, id);
}

/** A new job like one that ended without success. @throws ServerError INVALID_INPUT, PLAN_EXPIRED (restores are planned anew). */
export async function retryJob(ctx: Ctx, user: UserView, id: string): Promise<JobView> {
  const { job } = await findJob(ctx, id);
  if (isOpen(job.state) || job.state === 'succeeded')
    throw new ServerError('INVALID_INPUT', 'only a job that ended without success can be tried again');
  if (job.request.kind === 'restore')
    throw new ServerError('PLAN_EXPIRED', 'a disk is written only by a plan confirmed for this one time');
  const { machineId, vaultId, subject, request } = job;
  const pointId = 'pointId' in request ? request.pointId : null;
  const diskKeys = request.kind === 'backup' ? request.diskKeys : [];
  const idempotencyKey = `retry:${id}`;
  return createJob(ctx, user, { machineId, vaultId, pointId, subject, request, diskKeys, idempotencyKey, retryOf: id });
}
