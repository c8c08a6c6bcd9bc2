'use client';
import type { RestorePlanView } from '@diskfleet/protocol';
import { useQuery } from '@tanstack/react-query';
import { parseAsInteger, parseAsString, parseAsStringLiteral, useQueryStates } from 'nuqs';
import { useState } from 'react';
import { useTRPC } from '@/trpc/client';
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
    job: parseAsString,
  });
  const [plan, setPlan] = useState<RestorePlanView | null>(null);
  const point = useQuery(trpc.points.get.queryOptions({ id: choice.point ?? '' }, { enabled: choice.point !== null }));
  const disks = point.data?.disks ?? [];
  const disk = disks.find((candidate) => candidate.index === choice.disk) ?? (disks.length === 1 ? disks[0] : undefined);
  const wanted = choice.job ? 'run' : (choice.step ?? 'what');
  // A plan lives for minutes and is not kept in the address: after a reload it is made again.
  const step = wanted === 'plan' && !plan ? 'where' : wanted === 'where' && point.isSuccess && !disk ? 'what' : wanted;
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
            setPlan(made);
            void setChoice({ step: 'plan', machine: made.machine.id }, { history: 'push' });
          }}
        />
      )}
      {step === 'plan' && plan && (
        <PlanStep
          plan={plan}
          onBack={() => void setChoice({ step: 'where' })}
          onStarted={(jobId) => void setChoice({ job: jobId, step: 'run' }, { history: 'push' })}
        />
      )}
      {step === 'run' && choice.job && <RunStep jobId={choice.job} />}
    </>
  );
}
