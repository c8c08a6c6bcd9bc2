'use client';
import { useSyncExternalStore } from 'react';
import { formatAbsolute, formatRelative } from '../format/time';

/** One clock for the page, ticking every 15 s; zero on the server, so that both render alike. */
const listeners = new Set<() => void>();
let nowMs = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    nowMs = Date.now();
    for (const each of listeners) each();
  }, 15_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
function read() {
  if (Date.now() - nowMs > 15_000) nowMs = Date.now();
  return nowMs;
}

const never = () => () => {};

/** False on the server and in the first render of the browser, so that both draw the same. */
export function useHydrated(): boolean {
  return useSyncExternalStore(
    never,
    () => true,
    () => false,
  );
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, read, () => 0);
}

interface TimeProps {
  readonly iso: string;
  readonly show?: 'relative' | 'absolute' | 'both';
  readonly className?: string;
}

export function Time({ iso, show = 'relative', className }: TimeProps) {
  const now = useNow();
  if (now === 0) return <time dateTime={iso} className={className} />;
  const absolute = formatAbsolute(iso);
  // The shared clock is up to 15 s behind; what has just happened must not look as if it were to come.
  const then = Date.parse(iso);
  const relative = formatRelative(iso, then <= Date.now() + 5000 ? Math.max(now, then) : now);
  return (
    <time dateTime={iso} title={show === 'absolute' ? relative : absolute} className={className}>
      {show === 'relative' && relative}
      {show === 'absolute' && absolute}
      {show === 'both' && (
        <>
          {relative} <span className="text-ink-3">· {absolute}</span>
        </>
      )}
    </time>
  );
}
