'use client';
import { OctagonAlert, RotateCw } from 'lucide-react';
import { failureOf, type ShownFailure } from '@/trpc/failure';
import { Button } from '@/ui/Button';
import { CopyButton } from '@/ui/CopyButton';
import { cn } from '@/ui/cn';

interface FailurePanelProps {
  /** A thrown error of a call, or a failure already read. */
  readonly error?: unknown;
  readonly failure?: ShownFailure;
  readonly onRetry?: () => void;
  readonly className?: string;
}

/** A failure in four parts: what failed, what it means for the data, what to do, and the code with its diagnostics. */
export function FailurePanel({ error, failure, onRetry, className }: FailurePanelProps) {
  const shown = failure ?? failureOf(error);
  return (
    <div role="alert" className={cn('rounded-xl border border-bad/30 bg-bad-soft p-4', className)}>
      <div className="flex items-start gap-3">
        <OctagonAlert className="mt-0.5 size-[18px] shrink-0 text-bad" aria-hidden />
        <div className="min-w-0 flex-1">
          <p className="font-semibold text-ink">{shown.what}</p>
          {shown.detail && shown.detail !== shown.what && <p className="break-words text-ink-2">{shown.detail}</p>}
          <dl className="mt-3 grid gap-x-4 gap-y-1.5 sm:grid-cols-[max-content_1fr]">
            <dt className="text-ink-3">Your data</dt>
            <dd className="text-ink">{shown.data}</dd>
            <dt className="text-ink-3">What to do</dt>
            <dd className="text-ink">{shown.todo}</dd>
            <dt className="text-ink-3">Code</dt>
            <dd className="font-mono text-[0.8125rem] text-ink">{shown.code}</dd>
          </dl>
          <div className="mt-3 flex flex-wrap gap-2">
            {onRetry && (
              <Button size="sm" onClick={onRetry}>
                <RotateCw aria-hidden />
                Try again
              </Button>
            )}
            <CopyButton label="Copy diagnostics" text={diagnostics(shown)} />
          </div>
        </div>
      </div>
    </div>
  );
}

function diagnostics(failure: ShownFailure): string {
  const page = typeof window === 'undefined' ? '' : window.location.pathname;
  return [
    `code: ${failure.code}`,
    `what: ${failure.what}`,
    `detail: ${failure.detail || '–'}`,
    `page: ${page}`,
    `at: ${new Date().toISOString()}`,
  ].join('\n');
}
