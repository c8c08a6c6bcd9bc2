/**
 * One connection to the server, kept for ever: dial, prove both sides, talk, and dial again with jitter when it breaks. Nothing is
 * lost with a message: outcomes are in the journal and go out again after the next `hello`.
 */
import type { AgentMessage } from '@diskfleet/protocol';
import { reconnectDelayMs } from './backoff.ts';
import { Connection, type Welcome, type WorkMessage } from './connection.ts';
import type { Identity } from './identity.ts';
import type { Dial } from './socket.ts';
import type { Timers } from './timers.ts';

export interface LinkEvents {
  /** The server has proven itself: say `hello`. */
  onUp(welcome: Welcome): void;
  onMessage(message: WorkMessage): void;
  onDown(reason: string): void;
  /** A named refusal, or a failure of the handshake; told once for each change. */
  onRefused(code: string, message: string): void;
}

export interface Link {
  /** False when there is no proven connection now, or the message is larger than the protocol allows. */
  send(message: AgentMessage): boolean;
  stop(): void;
}

export interface LinkOptions {
  readonly identity: Identity;
  readonly dial: Dial;
  readonly timers: Timers;
  readonly events: LinkEvents;
}

export function keepLinked(options: LinkOptions): Link {
  const { identity, dial, timers, events } = options;
  const url = socketUrl(identity.serverUrl);
  let connection: Connection | null = null;
  let failures = 0;
  let stopped = false;
  let lastRefusal = '';
  let cancelDial = () => {};
  const refused = (code: string, message: string) => {
    if (lastRefusal !== code) events.onRefused(code, message);
    lastRefusal = code;
  };
  const open = () => {
    connection = new Connection(
      { identity, timers, url, dial },
      {
        onUp: (welcome) => {
          failures = 0;
          lastRefusal = '';
          events.onUp(welcome);
        },
        onMessage: events.onMessage,
        onRefused: refused,
        onEnd: ({ reason, wasUp, retryMs }) => {
          connection = null;
          failures += 1;
          if (wasUp && !stopped) events.onDown(reason);
          if (!stopped) cancelDial = timers.after(retryMs ?? reconnectDelayMs(failures, timers.random), open);
        },
      },
    );
  };
  open();
  return {
    send: (message) => connection?.send(message) ?? false,
    stop() {
      stopped = true;
      cancelDial();
      connection?.end('stopped');
    },
  };
}

/** `https://host/base` → `wss://host/base/agents/socket`. */
export function socketUrl(serverUrl: string): string {
  return `${serverUrl.replace(/^http/, 'ws')}/agents/socket`;
}
