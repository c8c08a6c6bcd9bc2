/** An agent that speaks the real protocol over a real socket and does what the test says. */
import { randomBytes } from 'node:crypto';
import {
  type AgentMessage,
  type EnrolResponse,
  enrolResponseShape,
  generateIdentity,
  handshakeBytes,
  type Inventory,
  type JobOutcome,
  PRODUCT_VERSION,
  PROTOCOL_VERSION,
  rawPrivateKey,
  type ServerMessage,
  serverMessageShape,
  signBytes,
  verifyBytes,
} from '@diskfleet/protocol';
import { WebSocket } from 'ws';
import * as z from 'zod';
import type { TestFleet } from './fleet.ts';

const refusalShape = z.object({ error: z.object({ code: z.string() }) });

type MessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

export interface FakeAgent extends EnrolResponse {
  readonly keys: { publicKey: string; privateKey: string };
  inventory: Inventory;
}

export function makeInventory(hostname: string, disks: Inventory['disks'] = [makeDisk('SER-1')]): Inventory {
  return {
    hostname,
    os: { platform: 'linux', name: 'Debian', version: '13', kernel: '6', arch: 'x64' },
    hardware: { vendor: 'Acme', model: 'PC', serial: 'S', cpu: 'c', cores: 4, memoryBytes: 8e9 },
    bootId: 'boot',
    timeZone: 'UTC',
    canReadDisks: true,
    limitation: null,
    allowRemoteDiskWrites: true,
    diskFilesFolder: '/srv/disks',
    disks,
    takenAt: '2026-01-01T00:00:00.000Z',
  };
}

export function makeDisk(serial: string, more: Partial<Inventory['disks'][number]> = {}): Inventory['disks'][number] {
  return {
    key: serial,
    path: `/dev/${serial}`,
    name: `disk ${serial}`,
    model: 'M',
    serial,
    sizeBytes: 1 << 30,
    sectorBytes: 512,
    bus: 'sata',
    isSystemDisk: false,
    removable: false,
    readOnly: false,
    busyReason: null,
    table: null,
    tableId: null,
    partitions: [],
    filesystem: null,
    fingerprint: 'f'.repeat(64),
    warnings: [],
    ...more,
  };
}

export async function enrolOverHttp(
  fleet: TestFleet,
  input: { token: string; inventory?: Inventory; publicKey: string },
): Promise<{ status: number; code: string; body: EnrolResponse | null }> {
  const inventory = input.inventory ?? makeInventory('pc');
  const { token, publicKey } = input;
  const request = { token, publicKey, agentVersion: PRODUCT_VERSION, protocolVersion: PROTOCOL_VERSION, inventory };
  const response = await fetch(`${fleet.url}/agents/enrol`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  const answer: unknown = await response.json();
  const body = enrolResponseShape.safeParse(answer).data ?? null;
  return { status: response.status, code: refusalShape.safeParse(answer).data?.error.code ?? '', body };
}

/** Enrols with a fresh, auto-approving token. */
export async function enrolAgent(fleet: TestFleet, hostname: string, inventory = makeInventory(hostname)): Promise<FakeAgent> {
  const owner = fleet.client(await fleet.owner());
  const { token } = await owner.machines.createEnrolToken.mutate({ ttlMinutes: 60, autoApprove: true });
  const keys = generateIdentity();
  const { code, body } = await enrolOverHttp(fleet, { token, publicKey: keys.publicKey, inventory });
  if (!body) throw new Error(`enrolment failed: ${code}`);
  return { ...body, keys, inventory };
}

export interface FakeSession {
  readonly socket: WebSocket;
  readonly received: ServerMessage[];
  /** The next message of this type not yet taken. */
  next<T extends ServerMessage['type']>(type: T, withinMs?: number): Promise<MessageOf<T>>;
  say(message: AgentMessage): void;
  readonly closed: Promise<{ code: number; reason: string }>;
  cut(): void;
}

export function openSocket(fleet: TestFleet, headers: Record<string, string> = {}): FakeSession {
  const socket = new WebSocket(`${fleet.url.replace('http', 'ws')}/agents/socket`, { perMessageDeflate: false, headers });
  const received: ServerMessage[] = [];
  const taken = new Set<ServerMessage>();
  const wakers = new Set<() => void>();
  const wake = () => {
    for (const waker of wakers) waker();
  };
  socket.on('message', (data: Buffer) => {
    received.push(serverMessageShape.parse(JSON.parse(data.toString('utf8'))));
    wake();
  });
  socket.on('error', () => {});
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString() });
      wake();
    });
  });
  return {
    socket,
    received,
    closed,
    say: (message) => socket.send(JSON.stringify(message)),
    cut: () => socket.terminate(),
    next(type, withinMs = 8000) {
      return new Promise((resolve, reject) => {
        const end = () => {
          clearTimeout(timer);
          wakers.delete(look);
        };
        const look = () => {
          for (const message of received) {
            if (message.type !== type || taken.has(message)) continue;
            taken.add(message);
            end();
            // The comparison above says so; the compiler cannot follow it through a type parameter.
            resolve(JSON.parse(JSON.stringify(message)));
            return;
          }
          if (socket.readyState === WebSocket.CLOSED) {
            end();
            reject(new Error(`closed before ${type}; got ${received.map((one) => JSON.stringify(one)).join(' ')}`));
          }
        };
        const timer = setTimeout(() => {
          end();
          reject(new Error(`no ${type} in time; got ${received.map((one) => one.type).join(' ')}`));
        }, withinMs);
        wakers.add(look);
        look();
      });
    },
  };
}

/** The agent's half of the handshake; the answer is `welcome` or `refusal`. */
export async function handshake(
  fleet: TestFleet,
  agent: Pick<FakeAgent, 'machineId' | 'keys' | 'serverId' | 'serverPublicKey'>,
): Promise<{ session: FakeSession; answer: MessageOf<'welcome'> | MessageOf<'refusal'> }> {
  const session = openSocket(fleet);
  const challenge = await session.next('challenge');
  const facts = {
    machineId: agent.machineId,
    serverId: challenge.serverId,
    agentNonce: randomBytes(32).toString('base64'),
    serverNonce: challenge.serverNonce,
  };
  const signature = signBytes(rawPrivateKey(agent.keys.privateKey), handshakeBytes('agent', facts));
  const { machineId, agentNonce } = facts;
  session.say({ type: 'prove', machineId, agentVersion: '0', protocolVersion: PROTOCOL_VERSION, agentNonce, signature });
  const answer = await Promise.race([session.next('welcome', 15_000), session.next('refusal', 15_000)]);
  if (answer.type === 'welcome' && !verifyBytes(agent.serverPublicKey, handshakeBytes('server', facts), answer.signature)) {
    throw new Error('the server did not prove its key');
  }
  return { session, answer };
}

/** Connected and greeted. */
export async function connect(
  fleet: TestFleet,
  agent: FakeAgent,
  state: { running?: { jobId: string; attempt: number }[]; done?: JobOutcome[] } = {},
): Promise<FakeSession> {
  const { session, answer } = await handshake(fleet, agent);
  if (answer.type !== 'welcome') throw new Error(`refused: ${answer.code}`);
  session.say({ type: 'hello', inventory: agent.inventory, running: state.running ?? [], done: state.done ?? [] });
  return session;
}

export function succeeded(
  job: { jobId: string; attempt: number },
  result: Extract<JobOutcome['outcome'], { kind: 'succeeded' }>['result'],
): JobOutcome {
  return { ...job, endedAt: new Date().toISOString(), outcome: { kind: 'succeeded', result } };
}
