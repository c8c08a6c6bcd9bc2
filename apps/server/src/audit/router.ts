import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { listAudit, verifyAudit } from './read.ts';

const page = z.object({ limit: z.number().int().min(1).max(500).default(100), beforeSeq: z.number().int().min(1).optional() });

export const auditRouter = router({
  list: allowed('audit:read')
    .input(page.default({ limit: 100 }))
    .query(({ ctx: { ctx }, input }) => listAudit(ctx, input)),
  verify: allowed('audit:read').mutation(({ ctx: { ctx } }) => verifyAudit(ctx)),
});
