/**
 * Events for browsers: ids and what changes fastest. A reader that comes back with the id it saw last gets what it missed, if that
 * is still remembered; else `resync`, and it asks for everything anew. Losing an event costs time, never truth.
 */
import type { LiveEvent } from '@diskfleet/protocol';

const REMEMBERED = 2000;
const LONGEST_QUEUE = 2000;

export interface LiveBus {
  publish(event: LiveEvent): void;
  /** Endless until `signal` aborts. */
  subscribe(lastEventId: string | null, signal: AbortSignal): AsyncGenerator<readonly [id: string, event: LiveEvent]>;
  readonly readers: number;
}

/** @param epoch differs for every start of the server, so that ids of an earlier one are not taken for ours */
export function createLiveBus(epoch: string): LiveBus {
  const past: { readonly n: number; readonly event: LiveEvent }[] = [];
  const readers = new Set<(n: number, event: LiveEvent) => void>();
  let newest = 0;
  const idOf = (n: number) => `${epoch}-${n}`;

  function missedSince(lastEventId: string | null): readonly { n: number; event: LiveEvent }[] {
    const seen = lastEventId?.startsWith(`${epoch}-`) ? Number(lastEventId.slice(epoch.length + 1)) : Number.NaN;
    const oldest = past[0]?.n ?? newest + 1;
    if (Number.isInteger(seen) && seen <= newest && seen >= oldest - 1) return past.filter(({ n }) => n > seen);
    return [{ n: newest, event: { kind: 'resync' } }];
  }

  return {
    get readers() {
      return readers.size;
    },
    publish(event) {
      newest += 1;
      past.push({ n: newest, event });
      if (past.length > REMEMBERED) past.shift();
      for (const reader of readers) reader(newest, event);
    },
    async *subscribe(lastEventId, signal) {
      let queue = [...missedSince(lastEventId)];
      let wake = () => {};
      const reader = (n: number, event: LiveEvent) => {
        queue = queue.length < LONGEST_QUEUE ? [...queue, { n, event }] : [{ n, event: { kind: 'resync' } }];
        wake();
      };
      const onAbort = () => wake();
      readers.add(reader);
      signal.addEventListener('abort', onAbort);
      try {
        while (!signal.aborted) {
          const ready = queue;
          queue = [];
          for (const { n, event } of ready) yield [idOf(n), event];
          if (queue.length > 0 || signal.aborted) continue;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        readers.delete(reader);
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}
