'use client';
import { FailurePanel } from '@/features/errors/FailurePanel';

export default function PageError({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <main className="mx-auto grid min-h-dvh max-w-2xl place-items-center p-6">
      <FailurePanel error={error} onRetry={retry} className="w-full" />
    </main>
  );
}
