import { MAX_MESSAGE_BYTES } from '@diskfleet/protocol';
import { WebSocket } from 'ws';

/** The little of a WebSocket the link needs; tests put their own in its place. */
export interface Socket {
  send(text: string): void;
  ping(): void;
  /** Ends it without waiting for the other side. `onClose` follows. */
  terminate(): void;
}

export interface SocketEvents {
  onText(text: string): void;
  /** Ping or pong: the other side lives. */
  onAlive(): void;
  /** Once, whatever ended it, also when it never opened. */
  onClose(reason: string): void;
}

export type Dial = (url: string, events: SocketEvents) => Socket;

/** No compression: bulk bytes never come this way, and a context per connection costs the server memory. */
export const dialWebSocket: Dial = (url, events) => {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES, handshakeTimeout: 20_000 });
  let reason = '';
  socket.on('message', (data, isBinary) => {
    if (!isBinary) events.onText(data.toString());
  });
  socket.on('ping', () => events.onAlive());
  socket.on('pong', () => events.onAlive());
  socket.on('error', (error) => {
    reason = error.message;
  });
  socket.on('close', (code) => events.onClose(reason || `closed (${code})`));
  return {
    send: (text) => socket.send(text, () => {}),
    ping: () => socket.ping(undefined, undefined, () => {}),
    terminate: () => socket.terminate(),
  };
};
