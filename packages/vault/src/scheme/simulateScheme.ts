/** Plays a deletion rule over future runs, so that people see what it keeps before it deletes anything. */
import type { BackupMethod } from '../types.ts';
import { applyScheme, type Scheme, type SchemeGuards, type SchemePoint } from './applyScheme.ts';

export interface SimulatedRuns {
  readonly runs: number;
  readonly everyMs: number;
  /** What runs between full ones are. */
  readonly between: BackupMethod;
  /** Every so many-th run is full; 1 = all. */
  readonly fullEvery: number;
  readonly startMs: number;
  readonly fullBytes: number;
  readonly changedBytes: number;
}

export interface SimulatedStep {
  readonly atMs: number;
  readonly made: string;
  readonly deleted: readonly { readonly id: string; readonly why: string }[];
  /** Ids after the run, oldest first. */
  readonly kept: readonly string[];
  readonly storedBytes: number;
}

const names = { full: 'FULL', incremental: 'INC', differential: 'DIFF' } as const;

export function simulateScheme(scheme: Scheme, plan: SimulatedRuns, guards: SchemeGuards = {}): SimulatedStep[] {
  const counts = { full: 0, incremental: 0, differential: 0 };
  let points: SchemePoint[] = [];
  return Array.from({ length: plan.runs }, (_, run) => {
    const method = run % plan.fullEvery === 0 ? 'full' : plan.between;
    counts[method] += 1;
    const made = `${names[method]}${counts[method]}`;
    const atMs = plan.startMs + run * plan.everyMs;
    const storedBytes = method === 'full' && counts.full === 1 ? plan.fullBytes : plan.changedBytes;
    points.push({ id: made, method, receivedAtMs: atMs, storedBytes });
    const verdicts = applyScheme(scheme, points, atMs, guards);
    const deleted = verdicts.filter((one) => one.action === 'delete').map(({ id, why }) => ({ id, why }));
    const gone = new Set(deleted.map((one) => one.id));
    points = points.filter((point) => !gone.has(point.id));
    return {
      ...{ atMs, made, deleted, kept: points.map((point) => point.id) },
      storedBytes: points.reduce((sum, point) => sum + point.storedBytes, 0),
    };
  });
}
