'use client';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { parseAsInteger, parseAsString, parseAsStringLiteral, useQueryStates } from 'nuqs';
import { useTRPC } from '@/trpc/client';
import { Card } from '@/ui/Card';
import { SkeletonRows } from '@/ui/Feedback';
import { PageHead } from '@/ui/Page';
import { PlanStep } from './PlanStep';
import { RunStep } from './RunStep';
import { Stepper } from './Stepper';
import { WhatStep } from './WhatStep';
import { WhereStep } from './WhereStep';

export const steps = ['what', 'where', 'plan', 'run'] as const;

/** What → Where → Plan and confirm → Run. Every choice lives in the address, so that a reload loses nothing. */
export function RestoreWizard() {
  const trpc = useTRPC();
  const [choice, setChoice] = useQueryStates({
    step: parseAsStringLiteral(steps),
    point: parseAsString,
    disk: parseAsInteger,
    machine: parseAsString,
    plan: parseAsString,
    job: parseAsString,
  });
  const queries = useQueryClient();
  // A plan is decided once and kept by the server, so what a reload shows is what was decided.
  const plan = useQuery(
    trpc.restores.get.queryOptions(
      { planId: choice.plan ?? '' },
      { enabled: choice.plan !== null && choice.step === 'plan', staleTime: Number.POSITIVE_INFINITY, retry: false },
    ),
  );
  const point = useQuery(trpc.points.get.queryOptions({ id: choice.point ?? '' }, { enabled: choice.point !== null }));
  const disks = point.data?.disks ?? [];
  const disk = disks.find((candidate) => candidate.index === choice.disk) ?? (disks.length === 1 ? disks[0] : undefined);
  const wanted = choice.job ? 'run' : (choice.step ?? 'what');
  const noPlan = wanted === 'plan' && (choice.plan === null || plan.isError);
  const step = noPlan ? 'where' : wanted === 'where' && point.isSuccess && !disk ? 'what' : wanted;
  return (
    <>
      <PageHead title="Restore a disk" note="Nothing is written before you have seen the plan and typed its confirmation." />
      <Stepper current={step} />
      {step === 'what' && (
        <WhatStep
          pointId={choice.point}
          point={point.data ?? null}
          pointError={point.error}
          diskIndex={disk?.index ?? null}
          onPoint={(id) => void setChoice({ point: id, disk: null })}
          onDisk={(index) => void setChoice({ disk: index })}
          onNext={() => void setChoice({ step: 'where', disk: disk?.index ?? null }, { history: 'push' })}
        />
      )}
      {step === 'where' && point.data && disk && (
        <WhereStep
          point={point.data}
          disk={disk}
          machineId={choice.machine}
          onMachine={(id) => void setChoice({ machine: id })}
          onBack={() => void setChoice({ step: 'what' })}
          onPlan={(made) => {
            queries.setQueryData(trpc.restores.get.queryKey({ planId: made.planId }), made);
            void setChoice({ step: 'plan', machine: made.machine.id, plan: made.planId }, { history: 'push' });
          }}
        />
      )}
      {step === 'plan' && plan.isPending && (
        <Card>
          <SkeletonRows rows={6} />
        </Card>
      )}
      {step === 'plan' && plan.data && (
        <PlanStep
          plan={plan.data}
          onBack={() => void setChoice({ step: 'where', plan: null })}
          onStarted={(jobId) => void setChoice({ job: jobId, step: 'run' }, { history: 'push' })}
        />
      )}
      {step === 'run' && choice.job && <RunStep jobId={choice.job} />}
    </>
  );
}
