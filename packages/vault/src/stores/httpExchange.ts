/** One HTTP exchange of a store with its server, and patience with failures that pass by themselves. What a status means is the caller's to judge. */
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { VaultError } from '../errors.ts';

/** A connection on which nothing moves for this long is given up. */
const silenceMs = 60_000;
const firstPauseMs = 100;
const longestPauseMs = 5_000;
/** Error texts and listings; objects read whole are metadata. Anything larger comes with a known length. */
const longestBodyBytes = 1 << 30;

export interface HttpExchange {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly agent: Agent;
  /** Where to put the body; else it gets a buffer of its own. */
  readonly into?: Uint8Array | undefined;
  /** The exact length the body must have. */
  readonly bodyBytes?: number | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** A failure that may pass by itself: the service restarts, the network hiccups. */
export class PassingFailure extends Error {
  readonly onReusedSocket: boolean;
  constructor(message: string, options: { onReusedSocket: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.onReusedSocket = options.onReusedSocket;
  }
}

/**
 * Repeats `send` after passing failures with growing pauses. `who` begins the message of the final failure.
 * @throws VaultError `VAULT_UNREACHABLE` once `patienceMs` is over, or at once when `signal` says nobody waits any more.
 */
export async function withPatience(
  limits: { patienceMs: number; signal: AbortSignal; who: string },
  send: () => Promise<Reply>,
): Promise<Reply> {
  const { signal } = limits;
  const deadline = performance.now() + limits.patienceMs;
  let pauseMs = firstPauseMs;
  for (let freeRetry = true; ; ) {
    try {
      return await send();
    } catch (cause) {
      if (!(cause instanceof PassingFailure)) throw cause;
      // A kept-alive connection the service closed meanwhile says nothing about the service.
      if (freeRetry && cause.onReusedSocket) {
        freeRetry = false;
        continue;
      }
      if (signal.aborted || performance.now() + pauseMs > deadline) {
        throw new VaultError('VAULT_UNREACHABLE', `${limits.who} does not answer: ${cause.message}`, {
          retry: 'later',
          cause,
        });
      }
      // Spread, so that a fleet does not come back in step.
      await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }
}

/** @throws PassingFailure when no whole answer came. */
export function exchange(wanted: HttpExchange): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const open = wanted.url.startsWith('https:') ? httpsRequest : httpRequest;
    const sent = open(wanted.url, {
      method: wanted.method,
      agent: wanted.agent,
      headers: wanted.headers,
      timeout: silenceMs,
    });
    const failed = (cause: Error) => {
      reject(new PassingFailure(cause.message, { onReusedSocket: sent.reusedSocket && cause.name !== 'TimeoutError', cause }));
    };
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer for a minute'), { name: 'TimeoutError' })));
    sent.on('error', failed);
    sent.on('response', (response) => {
      response.on('error', failed);
      receive(response, wanted).then((reply) => {
        // Answered before all was sent: the rest must not leave memory the caller is about to use again.
        if (!sent.writableFinished) sent.destroy();
        resolve(reply);
      }, failed);
    });
    sent.end(wanted.body);
  });
}

async function receive(response: IncomingMessage, wanted: HttpExchange): Promise<Reply> {
  const status = response.statusCode ?? 0;
  const headers = response.headers;
  const announced = Number(headers['content-length'] ?? Number.NaN);
  const sound = status >= 200 && status < 300;
  const room = sound ? (wanted.bodyBytes ?? (announced <= longestBodyBytes ? announced : Number.NaN)) : Number.NaN;
  if (wanted.method === 'HEAD' || Number.isNaN(room)) {
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece);
    return { status, headers, body: Buffer.concat(pieces) };
  }
  const target = wanted.into ?? Buffer.allocUnsafeSlow(room);
  let at = 0;
  for await (const piece of response) {
    if (at + piece.length > room) throw new Error('the answer is longer than announced');
    target.set(piece, at);
    at += piece.length;
  }
  if (at !== room) throw new Error(`the answer has ${at} of ${room} bytes`);
  return { status, headers, body: Buffer.from(target.buffer, target.byteOffset, room) };
}
