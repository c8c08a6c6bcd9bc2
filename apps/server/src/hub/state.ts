/** Agents connected to this server, and the few things the rest of the server asks of them. Messages are hints: state is in the database. */
import type { Inventory, ServerMessage } from '@diskfleet/protocol';
import type { WebSocket } from 'ws';
import { ServerError } from '../errors.ts';

/** One agent that proved itself. */
export interface AgentSession {
  readonly machineId: string;
  readonly socket: WebSocket;
  /** It said hello. */
  greeted: boolean;
  /** Its hello was worked through: only then may it be offered jobs. */
  ready: boolean;
  /** Newest attempt of each job it runs, and until when the vault token it holds is good. */
  readonly running: Map<string, { readonly attempt: number; tokenUntilMs: number; readonly toldAtMs: number }>;
  /** Everything that touches the database for this agent runs one after the other. */
  enqueue(work: () => Promise<void>): Promise<void>;
}

export interface HubState {
  readonly sessions: Map<string, AgentSession>;
  /** Sockets that have not proved who they are. */
  readonly newcomers: Set<WebSocket>;
  /** Database work under way or waiting; a server that stops finishes it. */
  readonly working: Set<Promise<void>>;
  readonly inventoryAsked: Map<string, { readonly machineId: string; readonly resolve: (inventory: Inventory) => void }>;
}

export function createHubState(): HubState {
  return { sessions: new Map(), newcomers: new Set(), working: new Set(), inventoryAsked: new Map() };
}

export function sendTo(socket: WebSocket, message: ServerMessage): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

/** @throws ServerError AGENT_OFFLINE. */
export function sessionOf(hub: HubState, machineId: string): AgentSession {
  const session = hub.sessions.get(machineId);
  if (!session) throw new ServerError('AGENT_OFFLINE', '', { retry: 'later' });
  return session;
}
