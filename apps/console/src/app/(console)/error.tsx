'use client';
import { FailurePanel } from '@/features/errors/FailurePanel';

export default function PageError({ error, retry }: { error: unknown; retry: () => void }) {
  return <FailurePanel error={error} onRetry={retry} className="mx-auto mt-8 max-w-2xl" />;
}
