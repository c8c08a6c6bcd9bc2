import type { BackupMethod, PointHeader } from '@diskfleet/vault';

export interface Lineage {
  readonly method: BackupMethod;
  readonly parent: PointHeader | null;
}

/**
 * Which point a run builds on: *incremental* the newest of its series, *differential* the newest full, *full* none.
 * With nothing to build on, the run is a full one whatever was asked for.
 * @param points oldest first
 */
export function chooseParent(
  points: readonly PointHeader[],
  wanted: { readonly method: BackupMethod; readonly machineId: string; readonly source: string; readonly kind: string },
): Lineage {
  const series = points.filter(
    (point) => point.machineId === wanted.machineId && point.source === wanted.source && point.kind === wanted.kind,
  );
  const parent = wanted.method === 'full' ? null : lastOf(series, wanted.method === 'differential');
  return parent === null ? { method: 'full', parent } : { method: wanted.method, parent };
}

function lastOf(series: readonly PointHeader[], fullOnly: boolean): PointHeader | null {
  return series.findLast((point) => !fullOnly || point.method === 'full') ?? null;
}
