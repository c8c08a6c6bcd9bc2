'use client';
import { CloudOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useLiveConnection } from '@/live/LiveEvents';

/** Said only after some seconds: a short break mends itself unseen. */
export function ConnectionNote() {
  const connected = useLiveConnection();
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (connected) return setLate(false);
    const timer = setTimeout(() => setLate(true), 6000);
    return () => clearTimeout(timer);
  }, [connected]);
  if (!late) return null;
  return (
    <p
      role="status"
      className="flex items-center gap-2.5 border-warn/30 border-b bg-warn-soft px-4 py-2 text-ink sm:px-6 lg:px-8"
    >
      <CloudOff className="size-4 shrink-0 text-warn" aria-hidden />
      The server does not answer: what you see may be old. Running jobs go on, and the page catches up by itself.
    </p>
  );
}
