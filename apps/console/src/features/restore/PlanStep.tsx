'use client';
import type { RestorePlanView } from '@diskfleet/protocol';
import { useQuery } from '@tanstack/react-query';
import { AlertTriangle, ArrowDown, ArrowLeft, CircleSlash, DatabaseBackup, Lock, OctagonAlert, ShieldCheck } from 'lucide-react';
import Link from 'next/link';
import { useState } from 'react';
import { formatBytes, formatCount } from '@/format/bytes';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { Note } from '@/ui/Feedback';
import { Time } from '@/ui/Time';
import { BackupDialog } from '../backup/BackupDialog';
import { DiskMap } from '../diskMap/DiskMap';
import { inclusionOfPoint } from '../diskMap/inclusion';
import { ConfirmPlan } from './ConfirmPlan';
import { droppedNames, targetAfter, targetLosses } from './planMap';

interface PlanStepProps {
  readonly plan: RestorePlanView;
  readonly onBack: () => void;
  readonly onStarted: (jobId: string) => void;
}

export function PlanStep({ plan, onBack, onStarted }: PlanStepProps) {
  const after = targetAfter(plan);
  return (
    <div className="grid gap-6">
      {!plan.fits && (
        <Note tone="bad" icon={OctagonAlert} title="This does not fit">
          <ul>
            {plan.reasons.map((reason) => (
              <li key={reason.code}>{reason.text}</li>
            ))}
          </ul>
        </Note>
      )}
      <Card>
        <CardHead
          title="Plan"
          note={`${formatBytes(plan.estimatedBytes)} will be written to ${plan.target.path} on ${plan.machine.name}`}
        />
        <div className="grid gap-6 border-line border-t p-5">
          <DiskMap disk={plan.source} caption="Source" inclusion={inclusionOfPoint(plan.source)} compact />
          {plan.targetBefore && (
            <>
              <Arrow text="replaces what the target holds now" />
              <DiskMap disk={plan.targetBefore} caption="Target now" verbs={targetLosses(plan)} compact />
            </>
          )}
          {plan.fits && (
            <>
              <Arrow text="afterwards the target holds" />
              <DiskMap disk={after.disk} caption="Target afterwards" verbs={after.verbs} />
            </>
          )}
        </div>
      </Card>
      {plan.fits && <Losses plan={plan} />}
      <Dropped plan={plan} />
      {plan.warnings.map(({ code, text }) =>
        code === 'LEFT_OUT_KEPT' ? (
          <Note key={code + text} icon={Lock}>
            {text}
          </Note>
        ) : (
          <Note key={code + text} tone="warn" icon={AlertTriangle}>
            {text}
          </Note>
        ),
      )}
      {plan.fits && plan.bootSteps.length > 0 && (
        <Card>
          <CardHead title="To make it boot" />
          <ol className="grid list-decimal gap-1 border-line border-t py-4 pr-5 pl-10 text-ink-2">
            {plan.bootSteps.map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ol>
        </Card>
      )}
      {plan.fits ? (
        <ConfirmPlan plan={plan} onBack={onBack} onStarted={onStarted} />
      ) : (
        <div>
          <Button size="lg" onClick={onBack}>
            <ArrowLeft aria-hidden />
            Choose another target
          </Button>
        </div>
      )}
    </div>
  );
}

function Arrow({ text }: { text: string }) {
  return (
    <p className="flex items-center gap-3 text-[0.8125rem] text-ink-3">
      <span className="h-px flex-1 bg-line" />
      <ArrowDown className="size-4" aria-hidden />
      {text}
      <span className="h-px flex-1 bg-line" />
    </p>
  );
}

/** Partitions the point describes without their content, for which the target has no place. */
function Dropped({ plan }: { plan: RestorePlanView }) {
  const names = droppedNames(plan);
  if (!plan.fits || names.length === 0) return null;
  return (
    <Note tone="warn" icon={CircleSlash} title="Will not exist on the target">
      {names.join(', ')}
    </Note>
  );
}

function Losses({ plan }: { plan: RestorePlanView }) {
  const trpc = useTRPC();
  const [saving, setSaving] = useState(false);
  const machine = useQuery(trpc.machines.get.queryOptions({ id: plan.machine.id }));
  const unsaved = plan.losses.filter((loss) => loss.newestPoint === null).length;
  const { targetBefore } = plan;
  if (plan.losses.length === 0) {
    return (
      <Note tone="ok" icon={ShieldCheck} title="Nothing is lost">
        {plan.target.create
          ? 'The target is a new file; no disk is touched.'
          : plan.partitions.some((part) => part.action === 'keep')
            ? 'All that would be lost is kept as it is.'
            : 'The target holds no partition and no filesystem we know of. What else may lie on it is overwritten.'}
      </Note>
    );
  }
  return (
    <Card className={unsaved > 0 ? 'border-bad/40' : undefined}>
      <CardHead
        title="What will be lost"
        note={
          unsaved > 0
            ? `${formatCount(unsaved, 'item')} of these ${unsaved === 1 ? 'has' : 'have'} no backup`
            : 'All of it is in a restore point'
        }
        action={
          targetBefore && (
            <Button size="sm" onClick={() => setSaving(true)} disabled={!machine.data}>
              <DatabaseBackup aria-hidden />
              Back up the target first
            </Button>
          )
        }
      />
      <ul className="divide-y divide-line border-line border-t">
        {plan.losses.map((loss) => (
          <li
            key={`${loss.label}-${loss.sizeBytes}`}
            className="flex flex-wrap items-center justify-between gap-x-6 gap-y-1 px-5 py-3"
          >
            <span>
              <span className="font-medium text-ink">{loss.label}</span>
              <span className="text-ink-3">
                {' '}
                ·{' '}
                {[
                  loss.filesystem,
                  formatBytes(loss.sizeBytes),
                  loss.usedBytes === null ? null : `${formatBytes(loss.usedBytes)} in use`,
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
            </span>
            {loss.newestPoint ? (
              <Link href={`/points/${loss.newestPoint.id}`} className="text-accent-text hover:underline">
                newest restore point <Time iso={loss.newestPoint.createdAt} />
              </Link>
            ) : (
              <span className="flex items-center gap-1.5 font-semibold text-bad">
                <OctagonAlert className="size-4" aria-hidden />
                no backup exists of this
              </span>
            )}
          </li>
        ))}
      </ul>
      {saving && machine.data && targetBefore && (
        <BackupDialog machine={machine.data} diskKeys={[targetBefore.key]} open onOpenChange={setSaving} />
      )}
    </Card>
  );
}
