import type { UserView } from '@diskfleet/protocol';
import { z } from 'zod';
import { notBuilt } from '../notBuilt.ts';
import { allowed, openProcedure, router } from '../trpc.ts';

export const authRouter = router({
  signIn: openProcedure
    .input(z.object({ email: z.string().max(254), password: z.string().max(500) }))
    .mutation(() => notBuilt<{ sid: string; user: UserView }>()),
  me: allowed('session').query(({ ctx }) => ctx.session.user),
  signOut: allowed('session').mutation(() => notBuilt<void>()),
});
