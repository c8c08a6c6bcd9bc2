import { type JobDetail, type JobView, jobStates } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

const byId = z.object({ id: z.uuid() });
const machineId = z.uuid();
const pointId = z.string().min(1).max(64);
const diskIndex = z.number().int().min(0).max(255);

export const jobsRouter = router({
  list: allowed('fleet:read')
    .input(
      z
        .object({
          machineId: machineId.optional(),
          states: z.array(z.enum(jobStates)).optional(),
          limit: z.number().int().min(1).max(500).default(50),
          cursor: z.string().max(200).nullish(),
        })
        .default({ limit: 50 }),
    )
    .query(() => notBuilt<{ jobs: readonly JobView[]; nextCursor: string | null }>()),
  get: allowed('fleet:read')
    .input(byId)
    .query(() => notBuilt<JobDetail>()),
  backupNow: allowed('jobs:run')
    .input(
      z.object({
        machineId,
        diskKeys: z.array(z.string().min(1).max(160)).min(1).max(32),
        vaultId: z.uuid(),
        method: z.enum(['full', 'incremental', 'differential']),
      }),
    )
    .mutation(() => notBuilt<JobView>()),
  verify: allowed('jobs:run')
    .input(
      z.object({ machineId, vaultId: z.uuid(), level: z.enum(['structure', 'data', 'content']), pointId: pointId.nullable() }),
    )
    .mutation(() => notBuilt<JobView>()),
  restoreFiles: allowed('restore:files')
    .input(
      z.object({
        machineId,
        pointId,
        diskIndex,
        paths: z.array(z.string().max(4096).regex(/^\//)).min(1).max(1000),
        destination: z.string().min(1).max(4096),
        overwrite: z.enum(['never', 'ifNewer', 'always', 'keepBoth']),
      }),
    )
    .mutation(() => notBuilt<JobView>()),
  explore: allowed('files:read')
    .input(z.object({ machineId, pointId, diskIndex, path: z.string().max(4096) }))
    .mutation(() => notBuilt<JobView>()),
  cancel: allowed('jobs:run')
    .input(byId)
    .mutation(() => notBuilt<JobView>()),
  retry: allowed('jobs:run')
    .input(byId)
    .mutation(() => notBuilt<JobView>()),
});
