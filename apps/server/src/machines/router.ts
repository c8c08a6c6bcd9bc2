import * as z from 'zod';
import { allowed, router } from '../trpc.ts';
import { createEnrolToken } from './enrol.ts';
import { approveMachine, refreshMachine, rejectMachine, renameMachine, revokeMachine } from './verbs.ts';
import { getMachine, listMachines } from './views.ts';

const byId = z.object({ id: z.uuid() });
const machineName = z.string().trim().min(1).max(100);
const listInput = z.object({
  search: z.string().max(200).optional(),
  state: z.enum(['approved', 'pending', 'all']).default('approved'),
});

export const machinesRouter = router({
  list: allowed('fleet:read')
    .input(listInput.default({ state: 'approved' }))
    .query(({ ctx: { ctx }, input }) => listMachines(ctx, input)),
  get: allowed('fleet:read')
    .input(byId)
    .query(({ ctx: { ctx }, input }) => getMachine(ctx, input.id)),
  approve: allowed('machines:manage')
    .input(byId.extend({ name: machineName.optional() }))
    .mutation(({ ctx: { ctx, session }, input }) => approveMachine(ctx, session.user, input)),
  reject: allowed('machines:manage')
    .input(byId)
    .mutation(({ ctx: { ctx, session }, input }) => rejectMachine(ctx, session.user, input.id)),
  revoke: allowed('machines:manage')
    .input(byId)
    .mutation(({ ctx: { ctx, session }, input }) => revokeMachine(ctx, session.user, input.id)),
  rename: allowed('machines:manage')
    .input(byId.extend({ name: machineName }))
    .mutation(({ ctx: { ctx, session }, input }) => renameMachine(ctx, session.user, input)),
  refresh: allowed('fleet:read')
    .input(byId)
    .mutation(({ ctx: { ctx }, input }) => refreshMachine(ctx, input.id)),
  createEnrolToken: allowed('machines:manage')
    .input(z.object({ ttlMinutes: z.number().int().min(5).max(43_200), autoApprove: z.boolean() }))
    .mutation(({ ctx: { ctx, session }, input }) => createEnrolToken(ctx, session.user, input)),
});
