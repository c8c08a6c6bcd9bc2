/** The strip of days: one state per day of the whole fleet. */
import type { OverviewView } from '@diskfleet/protocol';

type Day = OverviewView['days'][number];

export interface DayFacts {
  /** `YYYY-MM-DD`, UTC. */
  readonly day: string;
  readonly points: number;
  readonly failed: number;
  readonly warnings: number;
}

/**
 * Pure. Exactly `count` days, oldest first, ending with the day of `now`. A day after the fleet began on which nothing was saved
 * and nothing failed is overdue: silence is not fine. Today may still come.
 */
export function dayStrip(input: { now: Date; count: number; since: Date | null; facts: readonly DayFacts[] }): Day[] {
  const { now, count, since, facts } = input;
  const known = new Map(facts.map((fact) => [fact.day, fact]));
  const today = dayOf(now);
  const begun = since ? dayOf(since) : null;
  return Array.from({ length: count }, (_, index) => {
    const day = dayOf(new Date(now.getTime() - (count - 1 - index) * 86_400_000));
    const { points, failed, warnings } = known.get(day) ?? { points: 0, failed: 0, warnings: 0 };
    const expected = begun !== null && day > begun && day < today;
    return { day, state: stateOf({ points, failed, warnings, expected }), points, failed };
  });
}

function stateOf(facts: { points: number; failed: number; warnings: number; expected: boolean }): Day['state'] {
  if (facts.failed > 0) return facts.points > 0 ? 'warning' : 'failed';
  if (facts.points > 0) return facts.warnings > 0 ? 'warning' : 'ok';
  return facts.expected ? 'overdue' : 'none';
}

export function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

/** Pure. Whole days until the free room is used up at the pace of the last days; null while nothing can be said. */
export function daysUntilFull(input: { freeBytes: number | null; storedBytes: number; overDays: number }): number | null {
  const { freeBytes, storedBytes, overDays } = input;
  if (freeBytes === null || storedBytes <= 0 || overDays < 1) return null;
  return Math.floor(freeBytes / (storedBytes / overDays));
}
