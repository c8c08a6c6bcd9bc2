/** Starts worker threads on one job, waits for all, stops all when one fails or the caller gives up. */
import type { Worker } from 'node:worker_threads';
import { EngineError } from '../errors.ts';

/** How long a thread that was told to stop may take to finish what it is doing before it is ended. */
const STOP_GRACE_MS = 10_000;
const POLL_MS = 250;

export interface ThreadsOptions<Message> {
  readonly signal: AbortSignal | undefined;
  /** Tells the threads to stop at the next chance (a flag in shared memory). */
  readonly stop: () => void;
  /** Called for every message; returns true when the thread it came from is done. Throws to fail the whole run. */
  readonly onMessage: (message: Message) => boolean;
  /** Called about four times a second while the threads work; a rejection fails the run. */
  readonly onTick: () => void | Promise<void>;
}

/**
 * Resolves when every thread is done. On failure or abort: stops all, waits until none runs any more, then rejects with the first
 * error (`CANCELLED` on abort).
 */
export async function runThreads<Message>(threads: readonly Worker[], options: ThreadsOptions<Message>): Promise<void> {
  const failures: unknown[] = [];
  const fail = (error: unknown) => {
    failures.push(error);
    options.stop();
  };
  const onAbort = () => fail(cancelled());
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  let ticking: Promise<void> | null = null;
  const timer = setInterval(() => {
    ticking ??= (async () => options.onTick())()
      .catch(fail)
      .finally(() => {
        ticking = null;
      });
  }, POLL_MS);
  try {
    await Promise.all(threads.map((thread) => watch(thread, { ...options, fail, failed: () => failures.length > 0 })));
    await ticking;
  } finally {
    clearInterval(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
  if (failures.length > 0) throw failures[0];
}

export function cancelled(): EngineError {
  return new EngineError('CANCELLED', 'the run was cancelled', { retry: 'later' });
}

interface Watching<Message> extends ThreadsOptions<Message> {
  readonly fail: (error: unknown) => void;
  readonly failed: () => boolean;
}

/** Resolves when the thread is gone. */
function watch<Message>(thread: Worker, { onMessage, fail, failed }: Watching<Message>): Promise<void> {
  return new Promise((resolve) => {
    let done = false;
    const grace = setInterval(() => {
      if (!failed()) return;
      clearInterval(grace);
      setTimeout(() => thread.terminate(), STOP_GRACE_MS).unref();
    }, POLL_MS);
    thread.on('message', (message: Message) => {
      try {
        done = onMessage(message) || done;
      } catch (error) {
        fail(error);
      }
    });
    thread.on('error', (cause: Error) =>
      fail(new EngineError('WORKER_FAILED', `a worker thread failed: ${cause.message}`, { cause })),
    );
    thread.on('exit', () => {
      clearInterval(grace);
      if (!done) fail(new EngineError('WORKER_FAILED', 'a worker thread ended before its work was done', { retry: 'later' }));
      resolve();
    });
  });
}
