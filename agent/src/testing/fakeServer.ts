/** The server's half of the handshake, honest or not, behind a socket that lives in memory. */
import {
  type AgentMessage,
  agentMessageShape,
  generateIdentity,
  handshakeBytes,
  rawPrivateKey,
  type ServerMessage,
  signBytes,
} from '@diskfleet/protocol';
import type { Identity } from '../agent/identity.ts';
import type { Dial, SocketEvents } from '../agent/socket.ts';

export const serverKeys = generateIdentity();
const agentKeys = generateIdentity();
export const machineId = '11111111-1111-4111-8111-111111111111';

export const testIdentity: Identity = {
  version: 1,
  machineId,
  serverUrl: 'http://127.0.0.1:7301',
  serverId: 'server-1',
  serverPublicKey: serverKeys.publicKey,
  publicKey: agentKeys.publicKey,
  privateKey: agentKeys.privateKey,
  enrolledAt: '2026-11-22T10:00:00.000Z',
};

export interface Dialled {
  readonly url: string;
  readonly events: SocketEvents;
  readonly sent: AgentMessage[];
  pings: number;
  closed: boolean;
  say(message: ServerMessage): void;
  /** Challenge, and a welcome signed with `privateKey` over the facts of this connection. */
  challenge(serverNonce?: string): void;
  welcome(privateKey?: string): void;
}

export interface FakeServer {
  readonly dial: Dial;
  readonly connections: Dialled[];
  last(): Dialled;
}

export function fakeServer(): FakeServer {
  const connections: Dialled[] = [];
  const last = () => {
    const connection = connections.at(-1);
    if (connection === undefined) throw new Error('nobody has dialled');
    return connection;
  };
  const dial: Dial = (url, events) => {
    let nonce = '';
    const connection: Dialled = {
      url,
      events,
      sent: [],
      pings: 0,
      closed: false,
      say: (message) => events.onText(JSON.stringify(message)),
      challenge(serverNonce = Buffer.alloc(32, connections.length).toString('base64')) {
        nonce = serverNonce;
        connection.say({ type: 'challenge', serverId: testIdentity.serverId, serverNonce, protocolMin: 1, protocolMax: 1 });
      },
      welcome(privateKey = serverKeys.privateKey) {
        const prove = connection.sent.find((message) => message.type === 'prove');
        if (prove?.type !== 'prove') throw new Error('the agent has not proven itself');
        const facts = { machineId, serverId: testIdentity.serverId, agentNonce: prove.agentNonce, serverNonce: nonce };
        connection.say(welcomeWith(signBytes(rawPrivateKey(privateKey), handshakeBytes('server', facts))));
      },
    };
    connections.push(connection);
    return {
      send: (text) => connection.sent.push(agentMessageShape.parse(JSON.parse(text))),
      ping: () => {
        connection.pings += 1;
      },
      terminate: () => {
        connection.closed = true;
      },
    };
  };
  return { dial, connections, last };
}

export function welcomeWith(signature: string): ServerMessage {
  return { type: 'welcome', signature, machineName: 'PC 12', now: '2026-11-22T12:00:00.000Z', heartbeatMs: 30_000 };
}
