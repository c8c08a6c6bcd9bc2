/** One connection from dialling to its end: the handshake, then messages, with a heartbeat that notices a dead line. */
import { type AgentMessage, MAX_MESSAGE_BYTES, type ServerMessage, serverMessageShape } from '@diskfleet/protocol';
import { toFailure } from '../errors.ts';
import { refusalDelayMs } from './backoff.ts';
import { answerChallenge, checkWelcome, type Proof } from './handshake.ts';
import type { Identity } from './identity.ts';
import type { Dial, Socket } from './socket.ts';
import type { Timers } from './timers.ts';

export type Welcome = Extract<ServerMessage, { type: 'welcome' }>;
export type WorkMessage = Exclude<ServerMessage, { type: 'challenge' | 'welcome' | 'refusal' }>;

export interface ConnectionPlace {
  readonly identity: Identity;
  readonly timers: Timers;
  readonly url: string;
  readonly dial: Dial;
}

export interface ConnectionEvents {
  onUp(welcome: Welcome): void;
  onMessage(message: WorkMessage): void;
  onRefused(code: string, message: string): void;
  /** Once. `retryMs` is what a refusal asked for. */
  onEnd(end: { reason: string; wasUp: boolean; retryMs: number | null }): void;
}

const HANDSHAKE_MS = 20_000;
/** Silence of this many heartbeats means the connection is dead, whatever TCP believes. */
const SILENT_BEATS = 2.5;

export class Connection {
  private readonly place: ConnectionPlace;
  private readonly events: ConnectionEvents;
  private readonly socket: Socket;
  private proof: Proof | null = null;
  private up = false;
  private ended = false;
  private retryMs: number | null = null;
  private heardAt: number;
  private cancelTimer: () => void;

  constructor(place: ConnectionPlace, events: ConnectionEvents) {
    this.place = place;
    this.events = events;
    this.heardAt = place.timers.now().getTime();
    this.cancelTimer = place.timers.after(HANDSHAKE_MS, () => this.end('no answer'));
    this.socket = place.dial(place.url, {
      onText: (text) => this.hear(text),
      onAlive: () => this.heard(),
      onClose: (reason) => this.finish(reason),
    });
  }

  /** False before the server has proven itself, after the end, and for what is larger than the protocol allows. */
  send(message: AgentMessage): boolean {
    if (!this.up || this.ended) return false;
    const text = JSON.stringify(message);
    if (Buffer.byteLength(text) > MAX_MESSAGE_BYTES) return false;
    this.socket.send(text);
    return true;
  }

  end(reason: string): void {
    this.socket.terminate();
    this.finish(reason);
  }

  private heard(): void {
    this.heardAt = this.place.timers.now().getTime();
  }

  private finish(reason: string): void {
    if (this.ended) return;
    this.ended = true;
    this.cancelTimer();
    this.events.onEnd({ reason, wasUp: this.up, retryMs: this.retryMs });
  }

  private hear(text: string): void {
    this.heard();
    if (this.ended) return;
    const message = parseMessage(text);
    if (message === null) return;
    try {
      this.receive(message);
    } catch (error) {
      const { code, detail } = toFailure(error);
      this.events.onRefused(code, detail);
      this.end(code);
    }
  }

  private receive(message: ServerMessage): void {
    const { identity, timers } = this.place;
    switch (message.type) {
      case 'challenge':
        // One challenge a connection: a second one would make this agent sign for somebody else's.
        if (this.proof !== null) return;
        this.proof = answerChallenge(identity, message);
        this.socket.send(JSON.stringify(this.proof.message));
        return;
      case 'welcome':
        if (this.proof === null || this.up) return;
        checkWelcome(identity, this.proof.facts, message);
        this.up = true;
        this.beat(message.heartbeatMs);
        this.events.onUp(message);
        return;
      case 'refusal':
        if (this.up) return;
        this.retryMs = refusalDelayMs(message.retryAfterMs, timers.random);
        this.events.onRefused(message.code, message.message);
        this.end(message.code);
        return;
      default:
        // Before the server has proven itself nothing it says is work.
        if (this.up) this.events.onMessage(message);
    }
  }

  private beat(everyMs: number): void {
    const { timers } = this.place;
    this.cancelTimer();
    this.cancelTimer = timers.after(everyMs, () => {
      if (timers.now().getTime() - this.heardAt > everyMs * SILENT_BEATS) {
        this.end('the server fell silent');
        return;
      }
      this.socket.ping();
      this.beat(everyMs);
    });
  }
}

/** A message this version does not know is ignored: a newer server may say more. */
function parseMessage(text: string): ServerMessage | null {
  try {
    const parsed = serverMessageShape.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
