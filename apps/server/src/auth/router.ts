import * as z from 'zod';
import { allowed, openProcedure, router } from '../trpc.ts';
import { signIn, signOut } from './sessions.ts';

export const authRouter = router({
  signIn: openProcedure
    .input(z.object({ email: z.string().max(254), password: z.string().max(500) }))
    .mutation(({ ctx: { ctx }, input }) => signIn(ctx, input)),
  me: allowed('session').query(({ ctx: { session } }) => session.user),
  signOut: allowed('session').mutation(({ ctx: { ctx, session } }) => signOut(ctx, session)),
});
