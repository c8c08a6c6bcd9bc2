import type { ExplorerPage } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, router } from '../trpc.ts';

export const explorerRouter = router({
  list: allowed('files:read')
    .input(
      z.object({
        pointId: z.string().min(1).max(64),
        diskIndex: z.number().int().min(0).max(255),
        path: z.string().max(4096).regex(/^\//),
        cursor: z.number().int().min(0).optional(),
        limit: z.number().int().min(1).max(2000).default(500),
      }),
    )
    .query(() => notBuilt<ExplorerPage>()),
});
