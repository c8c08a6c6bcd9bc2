import * as z from 'zod';
import { openProcedure, router } from '../trpc.ts';
import { createOwner, needsOwner } from './owner.ts';

export const setupRouter = router({
  status: openProcedure.query(async ({ ctx: { ctx } }) => ({ needsOwner: await needsOwner(ctx) })),
  createOwner: openProcedure
    .input(
      z.object({
        token: z.string().min(1).max(200),
        name: z.string().trim().min(1).max(100),
        email: z.email().max(254),
        password: z.string().min(10, 'at least 10 characters').max(500),
      }),
    )
    .mutation(({ ctx: { ctx }, input }) => createOwner(ctx, input)),
});
