/** The whole contract with the console: one router per noun. */
import { auditRouter } from './audit/router.ts';
import { authRouter } from './auth/router.ts';
import { explorerRouter } from './explorer/router.ts';
import { jobsRouter } from './jobs/router.ts';
import { liveRouter } from './live/router.ts';
import { machinesRouter } from './machines/router.ts';
import { overviewRouter } from './overview/router.ts';
import { pointsRouter } from './points/router.ts';
import { restoresRouter } from './restores/router.ts';
import { setupRouter } from './setup/router.ts';
import { router } from './trpc.ts';
import { vaultsRouter } from './vaults/router.ts';

export const appRouter = router({
  setup: setupRouter,
  auth: authRouter,
  overview: overviewRouter,
  machines: machinesRouter,
  vaults: vaultsRouter,
  points: pointsRouter,
  explorer: explorerRouter,
  jobs: jobsRouter,
  restores: restoresRouter,
  audit: auditRouter,
  live: liveRouter,
});

export type AppRouter = typeof appRouter;
