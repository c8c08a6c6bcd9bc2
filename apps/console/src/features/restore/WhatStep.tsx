'use client';
import type { PointDetail } from '@diskfleet/protocol';
import { useQuery } from '@tanstack/react-query';
import { Archive, ArrowRight } from 'lucide-react';
import Link from 'next/link';
import { useState } from 'react';
import { formatBytes } from '@/format/bytes';
import { formatAbsolute } from '@/format/time';
import { useTRPC } from '@/trpc/client';
import { Button } from '@/ui/Button';
import { Card, CardHead } from '@/ui/Card';
import { OptionCards } from '@/ui/Choice';
import { Empty, SkeletonRows } from '@/ui/Feedback';
import { Field, NativeSelect } from '@/ui/Field';
import { Time } from '@/ui/Time';
import { DiskLabel, DiskMap } from '../diskMap/DiskMap';
import { inclusionOfPoint } from '../diskMap/inclusion';
import { FailurePanel } from '../errors/FailurePanel';
import { pointKindNames } from '../points/pointWords';

interface WhatStepProps {
  readonly pointId: string | null;
  readonly point: PointDetail | null;
  readonly pointError: unknown;
  readonly diskIndex: number | null;
  readonly onPoint: (id: string) => void;
  readonly onDisk: (index: number) => void;
  readonly onNext: () => void;
}

export function WhatStep({ pointId, point, pointError, diskIndex, onPoint, onDisk, onNext }: WhatStepProps) {
  const trpc = useTRPC();
  const points = useQuery(trpc.points.list.queryOptions({}));
  const [machine, setMachine] = useState<string | null>(null);
  const names = [...new Map((points.data ?? []).map((each) => [each.machineId, each.machineName])).entries()];
  const from = machine ?? point?.machineId ?? names[0]?.[0] ?? '';
  const offered = points.data?.filter((each) => each.machineId === from) ?? [];
  if (points.data?.length === 0) {
    return (
      <Card>
        <Empty
          icon={Archive}
          title="There is nothing to restore yet"
          action={
            <Button asChild look="primary">
              <Link href="/machines">Back up a machine first</Link>
            </Button>
          }
        >
          A restore puts a restore point back on a disk. Make one first.
        </Empty>
      </Card>
    );
  }
  return (
    <div className="grid gap-6">
      <Card>
        <CardHead title="Restore point" note="What the disk will hold afterwards" />
        <div className="grid gap-5 border-line border-t p-5">
          {points.isPending && <SkeletonRows rows={2} />}
          {points.isError && <FailurePanel error={points.error} onRetry={() => void points.refetch()} />}
          {points.data && (
            <div className="grid gap-5 sm:grid-cols-2">
              <Field label="Machine it was made of">
                {(attributes) => (
                  <NativeSelect {...attributes} value={from} onChange={(event) => setMachine(event.currentTarget.value)}>
                    {names.map(([id, name]) => (
                      <option key={id} value={id}>
                        {name}
                      </option>
                    ))}
                  </NativeSelect>
                )}
              </Field>
              <Field label="Restore point" hint={point ? <Time iso={point.createdAt} show="both" /> : 'Newest first'}>
                {(attributes) => (
                  <NativeSelect
                    {...attributes}
                    value={offered.some((each) => each.id === pointId) ? (pointId ?? '') : ''}
                    onChange={(event) => onPoint(event.currentTarget.value)}
                  >
                    <option value="" disabled>
                      Choose a restore point…
                    </option>
                    {offered.map((each) => (
                      <option key={each.id} value={each.id}>
                        {formatAbsolute(each.createdAt)} · {pointKindNames[each.kind]} · {each.source} ·{' '}
                        {formatBytes(each.usedBytes)}
                      </option>
                    ))}
                  </NativeSelect>
                )}
              </Field>
            </div>
          )}
          {pointError !== null && pointError !== undefined && <FailurePanel error={pointError} />}
          {point && point.disks.length > 1 && (
            <OptionCards
              label="Disk to restore"
              value={diskIndex === null ? null : String(diskIndex)}
              onChange={(value) => onDisk(Number(value))}
              options={point.disks.map((disk) => ({
                value: String(disk.index),
                name: `Disk ${disk.name}`,
                body: <DiskLabel disk={disk} />,
              }))}
            />
          )}
          {point?.disks
            .filter((disk) => disk.index === diskIndex)
            .map((disk) => (
              <DiskMap key={disk.index} disk={disk} caption="Source" inclusion={inclusionOfPoint(disk)} />
            ))}
        </div>
      </Card>
      <div className="flex justify-end">
        <Button look="primary" size="lg" disabled={diskIndex === null} onClick={onNext}>
          Choose target
          <ArrowRight aria-hidden />
        </Button>
      </div>
    </div>
  );
}
