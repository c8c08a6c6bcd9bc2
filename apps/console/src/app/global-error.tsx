'use client';
import './globals.css';
import { FailurePanel } from '@/features/errors/FailurePanel';

/** When even the layout fails: its own document, with nothing that could fail again. */
export default function GlobalError({ error }: { error: unknown }) {
  return (
    <html lang="en">
      <body>
        <title>Something went wrong · Diskfleet</title>
        <main className="mx-auto grid min-h-dvh max-w-2xl place-items-center p-6">
          <FailurePanel error={error} onRetry={() => window.location.reload()} className="w-full" />
        </main>
      </body>
    </html>
  );
}
