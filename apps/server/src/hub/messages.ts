/** What a welcomed agent says, by type. Database work goes through the session's queue; progress touches memory only. */
import { agents, machines } from '@diskfleet/db';
import { type AgentMessage, type Inventory, isFailureCode } from '@diskfleet/protocol';
import { eq } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { storeLog } from '../jobs/log.ts';
import { changeJob } from '../jobs/move.ts';
import { dispatch } from '../jobs/offer.ts';
import { reconcile } from '../jobs/reconcile.ts';
import { settle } from '../jobs/settle.ts';
import { inventoryColumns } from '../machines/brief.ts';
import { type AgentSession, sendTo } from './state.ts';

type Spoken = Exclude<AgentMessage, { type: 'prove' }>;
type SpokenOf<T extends Spoken['type']> = Extract<Spoken, { type: T }>;

const BUSY_WAIT_MS = 15_000;

export function handleMessage(ctx: Ctx, session: AgentSession, message: Spoken): void {
  if (message.type === 'hello') {
    session.greeted = true;
    return void session.enqueue(() => greet(ctx, session, message));
  }
  switch (message.type) {
    case 'inventory':
      return void session.enqueue(() => takeInventory(ctx, session, message));
    case 'accept':
      return void session.enqueue(() => accept(ctx, session, message));
    case 'decline':
      return void session.enqueue(() => decline(ctx, session, message));
    case 'progress':
      takeProgress(ctx, session, message);
      return;
    case 'log':
      return void session.enqueue(() => storeLog(ctx, { machineId: session.machineId, ...message }));
    case 'done':
      return void session.enqueue(async () => {
        await settle(ctx, session, message.outcome);
        await dispatch(ctx, session.machineId);
      });
  }
}

async function greet(ctx: Ctx, session: AgentSession, message: SpokenOf<'hello'>): Promise<void> {
  await storeInventory(ctx, session.machineId, message.inventory);
  await ctx.db.update(agents).set({ lastSeenAt: ctx.now() }).where(eq(agents.machineId, session.machineId));
  await reconcile(ctx, session, message);
  session.ready = true;
  ctx.live.publish({ kind: 'machine', machineId: session.machineId });
  await dispatch(ctx, session.machineId);
}

async function takeInventory(ctx: Ctx, session: AgentSession, message: SpokenOf<'inventory'>): Promise<void> {
  await storeInventory(ctx, session.machineId, message.inventory);
  const asked = message.requestId ? ctx.hub.inventoryAsked.get(message.requestId) : undefined;
  if (asked?.machineId === session.machineId) asked.resolve(message.inventory);
  ctx.live.publish({ kind: 'machine', machineId: session.machineId });
}

async function storeInventory(ctx: Ctx, machineId: string, inventory: Inventory): Promise<void> {
  await ctx.db.update(machines).set(inventoryColumns(inventory)).where(eq(machines.id, machineId));
}

async function accept(ctx: Ctx, session: AgentSession, message: SpokenOf<'accept'>): Promise<void> {
  const { jobId, attempt } = message;
  await changeJob(ctx, { jobId, machineId: session.machineId, event: { kind: 'accept', attempt } });
}

async function decline(ctx: Ctx, session: AgentSession, message: SpokenOf<'decline'>): Promise<void> {
  const { jobId, attempt, failure } = message;
  session.running.delete(jobId);
  const code = isFailureCode(failure.code) ? failure.code : 'INTERNAL';
  const busy = code === 'AGENT_BUSY' && failure.retry === 'later';
  const notBefore = busy ? new Date(ctx.now().getTime() + BUSY_WAIT_MS) : undefined;
  const event = { kind: 'decline', attempt, busy, failure: { ...failure, code } } as const;
  await changeJob(ctx, { jobId, machineId: session.machineId, event, notBefore });
  await dispatch(ctx, session.machineId);
}

/** Monotonic within a phase, whatever the agent says. */
function takeProgress(ctx: Ctx, session: AgentSession, message: SpokenOf<'progress'>): void {
  const { jobId, attempt, progress } = message;
  if (session.running.get(jobId)?.attempt !== attempt) return;
  const before = ctx.progress.get(jobId);
  if (before?.phase === progress.phase && before.doneBytes > progress.doneBytes) return;
  ctx.progress.set(jobId, progress);
  ctx.live.publish({ kind: 'job', jobId, machineId: session.machineId, state: 'running', progress });
}

/** Asks for a fresh inventory and waits for it. Null when none came in time. */
export async function askInventory(ctx: Ctx, session: AgentSession, timeoutMs: number): Promise<Inventory | null> {
  const requestId = crypto.randomUUID();
  try {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => done(null), timeoutMs);
      const onClose = () => done(null);
      const done = (inventory: Inventory | null) => {
        clearTimeout(timer);
        session.socket.off('close', onClose);
        resolve(inventory);
      };
      ctx.hub.inventoryAsked.set(requestId, { machineId: session.machineId, resolve: done });
      session.socket.once('close', onClose);
      sendTo(session.socket, { type: 'refreshInventory', requestId });
    });
  } finally {
    ctx.hub.inventoryAsked.delete(requestId);
  }
}
