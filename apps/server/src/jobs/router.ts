import { backupKinds, backupOptionsShape, chosenDisksShape, jobStates } from '@diskfleet/protocol';
import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { backupNow, planBackup } from './backups.ts';
import { cancelJob, exploreOnMachine, restoreFiles, retryJob, verifyVault } from './verbs.ts';
import { getJobDetail, listJobs } from './views.ts';

const byId = z.object({ id: z.uuid() });
const machineId = z.uuid();
const pointId = z.string().min(1).max(64);
const diskIndex = z.number().int().min(0).max(255);
const path = z.string().max(4096).regex(/^\//, 'begins with /');

const listInput = z.object({
  machineId: machineId.optional(),
  states: z.array(z.enum(jobStates)).optional(),
  limit: z.number().int().min(1).max(500).default(50),
  cursor: z.string().max(200).nullish(),
});

const planInput = z.object({
  machineId,
  backupKind: z.enum(backupKinds).default('disk'),
  disks: chosenDisksShape.optional(),
  /** Whole disks; the same as `disks` without partitions. */
  diskKeys: z.array(z.string().min(1).max(160)).min(1).max(32).optional(),
});

const backupInput = planInput.extend({
  vaultId: z.uuid(),
  method: z.enum(['full', 'incremental', 'differential']),
  compression: z.enum(['fast', 'balanced', 'best', 'none']).default('balanced'),
  sectorBySector: z.boolean().default(false),
  ...backupOptionsShape.shape,
});

const restoreFilesInput = z.object({
  machineId,
  pointId,
  diskIndex,
  paths: z.array(path).min(1).max(1000),
  destination: z.string().min(1).max(4096),
  overwrite: z.enum(['never', 'ifNewer', 'always', 'keepBoth']),
});

export const jobsRouter = router({
  list: allowed('fleet:read')
    .input(listInput.default({ limit: 50 }))
    .query(({ ctx: { ctx }, input }) => listJobs(ctx, input)),
  get: allowed('fleet:read')
    .input(byId)
    .query(({ ctx: { ctx }, input }) => getJobDetail(ctx, input.id)),
  planBackup: allowed('fleet:read')
    .input(planInput)
    .query(({ ctx: { ctx }, input }) => planBackup(ctx, input)),
  backupNow: allowed('jobs:run')
    .input(backupInput)
    .mutation(({ ctx: { ctx, session }, input }) => backupNow(ctx, session.user, input)),
  verify: allowed('jobs:run')
    .input(
      z.object({ machineId, vaultId: z.uuid(), level: z.enum(['structure', 'data', 'content']), pointId: pointId.nullable() }),
    )
    .mutation(({ ctx: { ctx, session }, input }) => verifyVault(ctx, session.user, input)),
  restoreFiles: allowed('restore:files')
    .input(restoreFilesInput)
    .mutation(({ ctx: { ctx, session }, input }) => restoreFiles(ctx, session.user, input)),
  explore: allowed('files:read')
    .input(z.object({ machineId, pointId, diskIndex, path }))
    .mutation(({ ctx: { ctx, session }, input }) => exploreOnMachine(ctx, session.user, input)),
  cancel: allowed('jobs:run')
    .input(byId)
    .mutation(({ ctx: { ctx, session }, input }) => cancelJob(ctx, session.user, input.id)),
  retry: allowed('jobs:run')
    .input(byId)
    .mutation(({ ctx: { ctx, session }, input }) => retryJob(ctx, session.user, input.id)),
});
