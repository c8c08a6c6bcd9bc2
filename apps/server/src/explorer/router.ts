import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { listFolder } from './list.ts';

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
    .query(({ ctx: { ctx, session }, input }) => listFolder(ctx, session.user, input)),
});
