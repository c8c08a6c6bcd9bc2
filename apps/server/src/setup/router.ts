import type { UserView } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { openProcedure, router } from '../trpc.ts';

export const setupRouter = router({
  status: openProcedure.query(() => notBuilt<{ needsOwner: boolean }>()),
  createOwner: openProcedure
    .input(
      z.object({
        token: z.string().min(1).max(200),
        name: z.string().trim().min(1).max(100),
        email: z.email().max(254),
        password: z.string().min(10, 'at least 10 characters').max(500),
      }),
    )
    .mutation(() => notBuilt<UserView>()),
});
