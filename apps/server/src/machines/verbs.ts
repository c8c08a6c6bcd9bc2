import { agents, enrolTokens, jobs, machines } from '@diskfleet/db';
import type { MachineView, UserView } from '@diskfleet/protocol';
import { and, eq, inArray } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { askInventory } from '../hub/messages.ts';
import { sessionOf } from '../hub/state.ts';
import { changeJob } from '../jobs/move.ts';
import { getMachine } from './views.ts';

const INVENTORY_WITHIN_MS = 20_000;

/** Lets a waiting machine in; on one that was marked as copied, says that the matter was looked into. */
export async function approveMachine(ctx: Ctx, user: UserView, input: { id: string; name?: string }): Promise<MachineView> {
  const at = ctx.now();
  await ctx.db.transaction(async (tx) => {
    const [machine] = await tx.select().from(machines).where(eq(machines.id, input.id)).for('update');
    if (!machine) throw new ServerError('NOT_FOUND', 'machine');
    if (machine.state === 'revoked') throw new ServerError('AGENT_REVOKED');
    const name = input.name ?? machine.name;
    await tx
      .update(machines)
      .set({ name, state: 'approved', approvedAt: machine.approvedAt ?? at })
      .where(eq(machines.id, input.id));
    await tx.update(agents).set({ copySeenAt: null }).where(eq(agents.machineId, input.id));
    await audit(tx, { at, actor: user.email, action: 'machines.approve', subject: name });
  });
  ctx.live.publish({ kind: 'machine', machineId: input.id });
  return getMachine(ctx, input.id);
}

/** Sends a waiting machine away; it is forgotten. */
export async function rejectMachine(ctx: Ctx, user: UserView, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const which = and(eq(machines.id, id), eq(machines.state, 'pending'));
    const [gone] = await tx.delete(machines).where(which).returning();
    if (!gone) throw new ServerError('NOT_FOUND', 'no machine with this id is waiting');
    await tx.update(enrolTokens).set({ spentBy: null }).where(eq(enrolTokens.spentBy, id));
    await audit(tx, { at: ctx.now(), actor: user.email, action: 'machines.reject', subject: gone.name });
  });
  ctx.live.publish({ kind: 'machine', machineId: id });
}

/** Shuts a machine out at once. Its restore points stay; what it was doing ends as failed. */
export async function revokeMachine(ctx: Ctx, user: UserView, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [machine] = await tx.update(machines).set({ state: 'revoked' }).where(eq(machines.id, id)).returning();
    if (!machine) throw new ServerError('NOT_FOUND', 'machine');
    await audit(tx, { at: ctx.now(), actor: user.email, action: 'machines.revoke', subject: machine.name });
  });
  ctx.hub.sessions.get(id)?.socket.close(1008, 'AGENT_REVOKED');
  const open = await ctx.db
    .select({ jobId: jobs.id })
    .from(jobs)
    .where(and(eq(jobs.machineId, id), inArray(jobs.state, ['queued', 'offered', 'running'])));
  for (const { jobId } of open) await changeJob(ctx, { jobId, machineId: id, event: { kind: 'revoke' } });
  ctx.live.publish({ kind: 'machine', machineId: id });
}

export async function renameMachine(ctx: Ctx, user: UserView, input: { id: string; name: string }): Promise<MachineView> {
  await ctx.db.transaction(async (tx) => {
    const [machine] = await tx.select().from(machines).where(eq(machines.id, input.id)).for('update');
    if (!machine) throw new ServerError('NOT_FOUND', 'machine');
    await tx.update(machines).set({ name: input.name }).where(eq(machines.id, input.id));
    await audit(tx, { at: ctx.now(), actor: user.email, action: 'machines.rename', subject: machine.name, detail: input.name });
  });
  ctx.live.publish({ kind: 'machine', machineId: input.id });
  return getMachine(ctx, input.id);
}

/** Asks the agent what its disks look like now. @throws ServerError AGENT_OFFLINE when it is not connected or does not answer. */
export async function refreshMachine(ctx: Ctx, id: string): Promise<MachineView> {
  const inventory = await askInventory(ctx, sessionOf(ctx.hub, id), INVENTORY_WITHIN_MS);
  if (!inventory) throw new ServerError('AGENT_OFFLINE', 'the agent did not answer in time', { retry: 'later' });
  return getMachine(ctx, id);
}
