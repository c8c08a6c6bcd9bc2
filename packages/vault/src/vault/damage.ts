/** What verify found: each damaged object once, with the points and device ranges it hurts. */
import type { DamagedObject } from '../types.ts';

/** A point that lost everything still gets a readable report. */
const maxPathsPerObject = 1000;
/** A vault that lost its index misses millions of chunks: naming each would help nobody. */
const maxObjects = 10_000;
const beyond = 'more objects than are named here';

interface Found {
  readonly problem: string;
  readonly points: Set<string>;
  readonly paths: string[];
  /** The last range, still growing. */
  open: { pointId: string; disk: number; from: number; to: number } | null;
}

export class DamageList {
  private readonly found = new Map<string, Found>();

  get isEmpty(): boolean {
    return this.found.size === 0;
  }

  add(object: string, problem: string): void {
    if (this.found.has(object) || this.found.has(beyond)) return;
    const full = this.found.size >= maxObjects;
    const text = full ? `the list ends here; the first one left out: ${object}: ${problem}` : problem;
    this.found.set(full ? beyond : object, { problem: text, points: new Set(), paths: [], open: null });
  }

  /** Notes that `object` (added before) is needed for a range of a disk; ranges come in device order. */
  hit(object: string, range: { pointId: string; disk: number; from: number; to: number }): void {
    const found = this.found.get(object) ?? this.found.get(beyond);
    if (found === undefined) return;
    found.points.add(range.pointId);
    const { open } = found;
    if (open !== null && open.pointId === range.pointId && open.disk === range.disk && open.to === range.from) {
      open.to = range.to;
      return;
    }
    closePath(found);
    found.open = { ...range };
  }

  hitPoint(object: string, pointId: string): void {
    (this.found.get(object) ?? this.found.get(beyond))?.points.add(pointId);
  }

  /** @param only keeps what hurts this point, and what belongs to the vault as a whole. */
  toReport(only: string | undefined): DamagedObject[] {
    const report: DamagedObject[] = [];
    for (const [object, found] of this.found) {
      closePath(found);
      const content = object.startsWith('packs/') || object.startsWith('chunk ') || object.startsWith('points/');
      if (only !== undefined && content && !found.points.has(only)) continue;
      report.push({ object, problem: found.problem, points: [...found.points], paths: [...new Set(found.paths)] });
    }
    return report;
  }
}

function closePath(found: Found): void {
  const { open } = found;
  found.open = null;
  if (open === null || found.paths.length > maxPathsPerObject) return;
  const full = found.paths.length === maxPathsPerObject;
  found.paths.push(full ? 'and more' : `disk ${open.disk} bytes ${open.from}-${open.to}`);
}
