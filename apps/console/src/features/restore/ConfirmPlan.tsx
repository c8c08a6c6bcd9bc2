'use client';
import type { RestorePlanView } from '@diskfleet/protocol';
import { useMutation } from '@tanstack/react-query';
import { ArrowLeft } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { Field, Input } from '@/ui/Field';
import { useNow } from '@/ui/Time';
import { FailurePanel } from '../errors/FailurePanel';

interface ConfirmPlanProps {
  readonly plan: RestorePlanView;
  readonly onBack: () => void;
  readonly onStarted: (jobId: string) => void;
}

/** Typing what it is that will be overwritten: machine and the tail of the target's serial. */
export function ConfirmPlan({ plan, onBack, onStarted }: ConfirmPlanProps) {
  const trpc = useTRPC();
  const [typed, setTyped] = useState('');
  const start = useMutation(trpc.restores.start.mutationOptions({ onSuccess: (job) => onStarted(job.id) }));
  const left = (Date.parse(plan.expiresAt) - useNow()) / 1000;
  const matches = typed.trim() === plan.confirmText;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (matches && left > 0) start.mutate({ planId: plan.planId, confirmText: typed.trim() });
  };
  return (
    <form onSubmit={submit} className="grid gap-6">
      <Card>
        <CardHead
          title="Confirm"
          note={
            left > 0
              ? `This plan is good for ${formatMinutes(left)} more, and only while the target stays as it is.`
              : 'This plan is too old. Go back and make it again.'
          }
        />
        <div className="grid gap-4 border-line border-t p-5">
          <p className="text-ink-2">
            To go on, type{' '}
            <code
              className="select-all rounded-md border border-line bg-sunken px-1.5 py-0.5 font-mono font-semibold text-ink"
              data-testid="confirm-text"
            >
              {plan.confirmText}
            </code>
            {plan.target.create ? ': the machine and the new file.' : ': the machine and the end of the target’s serial number.'}
          </p>
          <div className="max-w-md">
            <Field
              label="Type to confirm"
              error={typed !== '' && !plan.confirmText.startsWith(typed) && !matches ? 'This is not the text above.' : null}
            >
              {(attributes) => (
                <Input
                  {...attributes}
                  value={typed}
                  autoComplete="off"
                  spellCheck={false}
                  className="font-mono"
                  onChange={(event) => setTyped(event.currentTarget.value)}
                />
              )}
            </Field>
          </div>
          {start.isError && <FailurePanel error={start.error} />}
        </div>
      </Card>
      <div className="flex justify-between gap-3">
        <Button size="lg" onClick={onBack}>
          <ArrowLeft aria-hidden />
          Back
        </Button>
        <Button
          type="submit"
          look={plan.target.create ? 'primary' : 'danger'}
          size="lg"
          busy={start.isPending}
          disabled={!matches || left <= 0}
        >
          {plan.target.create ? 'Restore to new file' : 'Overwrite this disk'}
        </Button>
      </div>
    </form>
  );
}

function formatMinutes(seconds: number): string {
  return seconds < 60 ? 'less than a minute' : formatCount(Math.floor(seconds / 60), 'minute');
}
