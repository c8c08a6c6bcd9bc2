/** A deletion rule over all points of a vault: one series for each source of each machine, judged by itself. Pure. */
import type { PointHeader } from '../types.ts';
import { anomalyOf, applyScheme, type Scheme, type Verdict } from './applyScheme.ts';

export interface PruneFacts {
  readonly points: readonly PointHeader[];
  /** When the vault received each point, by its own clock (`Vault.pointTimes`). */
  readonly times: ReadonlyMap<string, number>;
  /** Points that were removed and are kept for now (`Vault.goingPoints`): they count as gone. */
  readonly going: ReadonlyMap<string, number>;
  /** By the vault's clock. */
  readonly nowMs: number;
  readonly pinned: (id: string) => boolean;
  readonly verified: (id: string) => boolean;
  readonly floor?: number;
  readonly keepFirstFull?: boolean;
}

export interface PruneVerdict extends Verdict {
  readonly point: PointHeader;
}

/** Verdicts on every point that is not going already; series by series, oldest first. */
export function planPrune(scheme: Scheme, facts: PruneFacts): PruneVerdict[] {
  const left = facts.points.filter(({ id }) => !facts.going.has(id));
  const series = Map.groupBy(left, (point) => JSON.stringify([point.machineId, point.source]));
  return [...series.values()].flatMap((points) => planSeries(scheme, points, facts));
}

function planSeries(scheme: Scheme, points: readonly PointHeader[], facts: PruneFacts): PruneVerdict[] {
  const { times, nowMs, pinned, verified, floor, keepFirstFull } = facts;
  const known = points.map((point) => ({
    ...point,
    receivedAtMs: times.get(point.id) ?? 0,
    pinned: pinned(point.id),
    verified: verified(point.id),
  }));
  const untimed = points.some(({ id }) => !times.has(id)) ? 'the vault does not tell when it received its points' : null;
  const frozen = untimed ?? anomalyOf(known, nowMs);
  const byId = new Map(points.map((point) => [point.id, point]));
  return applyScheme(scheme, known, nowMs, { floor, keepFirstFull, frozen }).flatMap((verdict) => {
    const point = byId.get(verdict.id);
    return point === undefined ? [] : [{ ...verdict, point }];
  });
}
