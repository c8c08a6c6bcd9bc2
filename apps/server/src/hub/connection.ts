/**
 * One socket, from upgrade to close: challenge → prove → welcome | refusal → hello → messages. What is read from it is hostile
 * until its shape is parsed; who breaks the order, the size or the rate is cut off.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { agents, machines } from '@diskfleet/db';
import {
  type AgentMessage,
  agentMessageShape,
  failureText,
  handshakeBytes,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  type RefusalCode,
  signBytes,
} from '@diskfleet/protocol';
import { eq } from 'drizzle-orm';
import type { RawData, WebSocket } from 'ws';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { judgeProof, type Proof } from './handshake.ts';
import { handleMessage } from './messages.ts';
import { type AgentSession, sendTo } from './state.ts';

const PROVE_WITHIN_MS = 10_000;
const HELLO_WITHIN_MS = 30_000;
const HEARTBEAT_MS = 30_000;
const PONG_WITHIN_MS = 2_000;
const MESSAGES_PER_SECOND = 50;
const BURST = 500;
const MOST_NEWCOMERS = 500;

/** Takes a fresh socket. Herds are turned away with a time to come back at, spread so that they do not return as one. */
export function acceptSocket(ctx: Ctx, socket: WebSocket): void {
  socket.on('error', (error) => ctx.log.debug({ err: error.message }, 'agent socket error'));
  if (ctx.hub.newcomers.size >= MOST_NEWCOMERS || !ctx.limits.handshakes.take('')) {
    refuse(socket, 'SERVER_BUSY', randomInt(5_000, 60_000));
    return;
  }
  const serverNonce = randomBytes(32).toString('base64');
  const { serverId } = ctx.secrets.identity;
  ctx.hub.newcomers.add(socket);
  const late = setTimeout(() => socket.terminate(), PROVE_WITHIN_MS);
  const leave = () => {
    clearTimeout(late);
    ctx.hub.newcomers.delete(socket);
  };
  socket.once('close', leave);
  socket.once('message', (data) => {
    leave();
    const message = parseMessage(data);
    if (message?.type !== 'prove') return void socket.close(1002, 'prove first');
    admit(ctx, socket, { proof: message, serverNonce }).catch((error: unknown) => {
      ctx.log.error({ err: error }, 'handshake failed');
      refuse(socket, 'SERVER_BUSY', randomInt(5_000, 30_000));
    });
  });
  sendTo(socket, { type: 'challenge', serverId, serverNonce, protocolMin: PROTOCOL_VERSION_MIN, protocolMax: PROTOCOL_VERSION });
}

/** How long to stay away after each refusal; null: until a person acted, looked up once in a while. */
const retryAfterMs: Record<RefusalCode, number | null> = {
  AGENT_TOO_OLD: null,
  AGENT_TOO_NEW: null,
  AGENT_REVOKED: null,
  AGENT_PENDING: 3_000,
  AGENT_QUARANTINED: 60_000,
  AGENT_UNKNOWN: null,
  AGENT_BAD_SIGNATURE: null,
  SERVER_BUSY: 10_000,
};

function refuse(socket: WebSocket, code: RefusalCode, wait = retryAfterMs[code]): void {
  const text = failureText(code);
  sendTo(socket, { type: 'refusal', code, message: `${text.what} ${text.todo}`, retryAfterMs: wait });
  socket.close(1008, code);
}

async function admit(ctx: Ctx, socket: WebSocket, { proof, serverNonce }: { proof: Proof; serverNonce: string }): Promise<void> {
  const { serverId, privateKey } = ctx.secrets.identity;
  const known = await findAgent(ctx, proof.machineId);
  const refusal = judgeProof({ proof, serverId, serverNonce, known });
  if (refusal) {
    ctx.log.info({ machineId: proof.machineId, code: refusal }, 'agent refused');
    return refuse(socket, refusal);
  }
  const isAlone = await isFree(ctx, proof.machineId);
  // Asked again without a pause: another newcomer may have taken the place in between.
  if (!isAlone || ctx.hub.sessions.has(proof.machineId)) return quarantine(ctx, socket, proof.machineId);
  if (socket.readyState !== socket.OPEN) return;
  const facts = { machineId: proof.machineId, serverId, agentNonce: proof.agentNonce, serverNonce };
  const signature = signBytes(privateKey, handshakeBytes('server', facts));
  openSession(ctx, socket, proof.machineId);
  const now = ctx.now().toISOString();
  sendTo(socket, { type: 'welcome', signature, machineName: known?.name ?? '', now, heartbeatMs: HEARTBEAT_MS });
}

async function findAgent(ctx: Ctx, machineId: string) {
  const [row] = await ctx.db
    .select({ publicKey: agents.publicKey, state: machines.state, name: machines.name })
    .from(agents)
    .innerJoin(machines, eq(machines.id, agents.machineId))
    .where(eq(agents.machineId, machineId));
  return row ?? null;
}

/** Whether no living session has this key. A predecessor that does not answer a ping is dead and makes room. */
async function isFree(ctx: Ctx, machineId: string): Promise<boolean> {
  for (;;) {
    const other = ctx.hub.sessions.get(machineId);
    if (!other) return true;
    if (await answersPing(other.socket)) return false;
    other.socket.terminate();
    if (ctx.hub.sessions.get(machineId) === other) ctx.hub.sessions.delete(machineId);
  }
}

function answersPing(socket: WebSocket): Promise<boolean> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (answer: boolean) => {
      clearTimeout(timer);
      socket.off('pong', onPong).off('close', onClose);
      resolve(answer);
    };
    const onPong = () => end(true);
    const onClose = () => end(false);
    const timer = setTimeout(() => end(false), PONG_WITHIN_MS);
    socket.once('pong', onPong).once('close', onClose);
    socket.ping();
  });
}

/** The newcomer is a copy as far as we can tell: it is turned away, the machine is marked, and the original keeps working. */
async function quarantine(ctx: Ctx, socket: WebSocket, machineId: string): Promise<void> {
  refuse(socket, 'AGENT_QUARANTINED');
  const at = ctx.now();
  const [before] = await ctx.db.select({ copySeenAt: agents.copySeenAt }).from(agents).where(eq(agents.machineId, machineId));
  await ctx.db.update(agents).set({ copySeenAt: at }).where(eq(agents.machineId, machineId));
  if (before?.copySeenAt === null) {
    await audit(ctx.db, { at, actor: 'system', action: 'agent.copySeen', subject: machineId });
  }
  ctx.live.publish({ kind: 'machine', machineId });
}

function openSession(ctx: Ctx, socket: WebSocket, machineId: string): void {
  let last = Promise.resolve();
  const session: AgentSession = {
    machineId,
    socket,
    greeted: false,
    ready: false,
    running: new Map(),
    enqueue(work) {
      const done = last.then(work).catch((error: unknown) => {
        ctx.log.error({ err: error, machineId }, 'work for an agent failed');
      });
      ctx.hub.working.add(done);
      last = done.finally(() => ctx.hub.working.delete(done));
      return last;
    },
  };
  ctx.hub.sessions.set(machineId, session);
  const stopHeart = startHeart(socket);
  const late = setTimeout(() => !session.greeted && socket.terminate(), HELLO_WITHIN_MS);
  const mayGo = messageBudget();
  socket.on('message', (data) => {
    if (!mayGo()) return void socket.close(1008, 'too many messages');
    const message = parseMessage(data);
    if (!message || message.type === 'prove') return void socket.close(1002, 'unreadable message');
    handleMessage(ctx, session, message);
  });
  socket.once('close', () => {
    stopHeart();
    clearTimeout(late);
    if (ctx.hub.sessions.get(machineId) === session) ctx.hub.sessions.delete(machineId);
    ctx.live.publish({ kind: 'machine', machineId });
    const lastSeenAt = ctx.now();
    void session.enqueue(async () => {
      await ctx.db.update(agents).set({ lastSeenAt }).where(eq(agents.machineId, machineId));
    });
  });
}

/** Pings are spread over the interval, so that thousands of agents do not beat as one. */
function startHeart(socket: WebSocket): () => void {
  let alive = true;
  let interval: NodeJS.Timeout | undefined;
  socket.on('pong', () => {
    alive = true;
  });
  const beat = () => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  };
  const first = setTimeout(() => {
    interval = setInterval(beat, HEARTBEAT_MS);
  }, randomInt(HEARTBEAT_MS));
  return () => {
    clearTimeout(first);
    clearInterval(interval);
  };
}

function messageBudget(): () => boolean {
  let left = BURST;
  let at = performance.now();
  return () => {
    const now = performance.now();
    left = Math.min(BURST, left + ((now - at) / 1000) * MESSAGES_PER_SECOND);
    at = now;
    left -= 1;
    return left >= 0;
  };
}

function parseMessage(data: RawData): AgentMessage | null {
  try {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data;
    const text = bytes.toString('utf8');
    const parsed = agentMessageShape.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
