/**
 * Which points of one series a deletion rule lets go. Pure: facts in, verdicts out. Groups (a full point and what followed it) are a
 * rule only: every point is complete by itself, so deleting any never breaks another. Whatever the rule says, the newest point, the
 * newest verified one, pinned ones and the floor stay, and nothing goes while the series looks wrong.
 */
import type { BackupMethod } from '../types.ts';

export type Scheme =
  /** The newest `keep` full points, and what followed the oldest of them. */
  | { readonly kind: 'full'; readonly keep: number }
  /** The newest `keep` groups; over that the oldest group goes as a whole. */
  | { readonly kind: 'incremental'; readonly keep: number }
  /** At most `keep` points: over that one by one, the oldest group's differentials first, then its full point. */
  | { readonly kind: 'differential'; readonly keep: number }
  /** What is younger than `days`. A group with increments goes when its last point is older; of others differentials go first, the full last. */
  | { readonly kind: 'time'; readonly days: number }
  /** All for `days` days, then the newest of each week for `weeks` weeks, of each month, of each year (UTC, weeks from Monday). */
  | { readonly kind: 'calendar'; readonly days: number; readonly weeks: number; readonly months: number; readonly years: number }
  /** Oldest first until what the points added to the vault is at most `bytes`. */
  | { readonly kind: 'space'; readonly bytes: number };

export interface SchemePoint {
  readonly id: string;
  readonly method: BackupMethod;
  /** By the store's clock, never the writer's. */
  readonly receivedAtMs: number;
  readonly storedBytes: number;
  readonly pinned?: boolean;
  readonly verified?: boolean;
}

export interface SchemeGuards {
  /** Never fewer points than this; at least 1. */
  readonly floor?: number | undefined;
  /** The first full point stays for ever and counts for nothing. */
  readonly keepFirstFull?: boolean | undefined;
  /** Why the series looks wrong, e.g. from `anomalyOf`: then nothing goes. */
  readonly frozen?: string | null;
}

export interface Verdict {
  readonly id: string;
  readonly action: 'keep' | 'delete';
  readonly why: string;
}

const dayMs = 24 * 3_600_000;

/** @param points of one machine and source, in any order. Verdicts come oldest first. */
export function applyScheme(scheme: Scheme, points: readonly SchemePoint[], nowMs: number, guards: SchemeGuards = {}): Verdict[] {
  const sorted = [...points].sort((a, b) => a.receivedAtMs - b.receivedAtMs || (a.id < b.id ? -1 : 1));
  const kept = keptWhatever(sorted, guards);
  if (guards.frozen !== undefined && guards.frozen !== null) {
    const why = `nothing is deleted: ${guards.frozen}`;
    return sorted.map(({ id }) => ({ id, action: 'keep', why }));
  }
  const ring = sorted.filter((point) => !outsideRing(kept.get(point.id)));
  const goes = reasonsToGo(scheme, ring, nowMs);
  let left = sorted.length;
  const floor = Math.max(1, guards.floor ?? 1);
  return sorted.map((point): Verdict => {
    const why = goes.get(point.id);
    if (why === undefined) return { id: point.id, action: 'keep', why: kept.get(point.id) ?? 'the rule keeps it' };
    const guard = kept.get(point.id) ?? (left <= floor ? `never fewer than ${floor}` : undefined);
    if (guard !== undefined) return { id: point.id, action: 'keep', why: guard };
    left -= 1;
    return { id: point.id, action: 'delete', why };
  });
}

const firstFullWhy = 'the first full point stays for ever';
const pinnedWhy = 'it is pinned';

/** Points that stand beside the rule and do not count in it. */
function outsideRing(why: string | undefined): boolean {
  return why === firstFullWhy || why === pinnedWhy;
}

function keptWhatever(sorted: readonly SchemePoint[], guards: SchemeGuards): Map<string, string> {
  const kept = new Map<string, string>();
  const verified = sorted.findLast((point) => point.verified === true);
  if (verified !== undefined) kept.set(verified.id, 'it is the newest verified point');
  const newest = sorted.at(-1);
  if (newest !== undefined) kept.set(newest.id, 'it is the newest point');
  const firstFull = guards.keepFirstFull === true ? sorted.find((point) => point.method === 'full') : undefined;
  if (firstFull !== undefined) kept.set(firstFull.id, firstFullWhy);
  for (const point of sorted) if (point.pinned === true) kept.set(point.id, pinnedWhy);
  return kept;
}

/** Ids the rule lets go, and why. @param points oldest first */
function reasonsToGo(scheme: Scheme, points: readonly SchemePoint[], nowMs: number): Map<string, string> {
  switch (scheme.kind) {
    case 'full':
      return overGroups(points, scheme.keep, `more than ${scheme.keep} full points`);
    case 'incremental':
      return overGroups(points, scheme.keep, `more than ${scheme.keep} groups`);
    case 'differential':
      return overPoints(points, scheme.keep);
    case 'time':
      return byTime(points, nowMs - scheme.days * dayMs, `older than ${scheme.days} days`);
    case 'calendar':
      return byCalendar(points, scheme, nowMs);
    case 'space':
      return bySpace(points, scheme.bytes);
  }
}

/** A full point and what followed it. What came before the first full point is a group of its own. */
function groupsOf(points: readonly SchemePoint[]): SchemePoint[][] {
  const groups: SchemePoint[][] = [];
  for (const point of points) {
    const last = groups.at(-1);
    if (last === undefined || point.method === 'full') groups.push([point]);
    else last.push(point);
  }
  return groups;
}

function overGroups(points: readonly SchemePoint[], keep: number, why: string): Map<string, string> {
  const groups = groupsOf(points);
  const over = groups.slice(0, Math.max(0, groups.length - Math.max(1, keep)));
  return new Map(over.flat().map((point) => [point.id, why]));
}

function overPoints(points: readonly SchemePoint[], keep: number): Map<string, string> {
  const goes = new Map<string, string>();
  const why = `more than ${keep} points, and the oldest group goes first, its full point last`;
  // The newest point always stays: it must not take the place of one that can go.
  const order = groupsOf(points.slice(0, -1)).flatMap(([first, ...rest]) => (first === undefined ? [] : [...rest, first]));
  for (const point of order.slice(0, Math.max(0, points.length - Math.max(1, keep)))) goes.set(point.id, why);
  return goes;
}

function byTime(points: readonly SchemePoint[], limitMs: number, why: string): Map<string, string> {
  const goes = new Map<string, string>();
  for (const group of groupsOf(points)) {
    const last = group.at(-1)?.receivedAtMs ?? 0;
    const whole = group.some((point) => point.method === 'incremental');
    for (const [place, point] of group.entries()) {
      // The full point goes last: when all that followed it are old too.
      const deciding = whole || place === 0 ? last : point.receivedAtMs;
      if (deciding < limitMs) goes.set(point.id, why);
    }
  }
  return goes;
}

type Calendar = Extract<Scheme, { kind: 'calendar' }>;

function byCalendar(points: readonly SchemePoint[], scheme: Calendar, nowMs: number): Map<string, string> {
  const spans: [number, (ms: number) => string][] = [
    [scheme.weeks * 7 * dayMs, (ms) => `week ${Math.floor((Math.floor(ms / dayMs) + 3) / 7)}`],
    [scheme.months * 31 * dayMs, (ms) => new Date(ms).toISOString().slice(0, 7)],
    [scheme.years * 366 * dayMs, (ms) => new Date(ms).toISOString().slice(0, 4)],
  ];
  const stays = new Set(points.filter((point) => nowMs - point.receivedAtMs < scheme.days * dayMs).map((point) => point.id));
  for (const [spanMs, periodOf] of spans) {
    const newest = new Map<string, string>();
    for (const point of points) {
      if (nowMs - point.receivedAtMs < spanMs) newest.set(periodOf(point.receivedAtMs), point.id);
    }
    for (const id of newest.values()) stays.add(id);
  }
  const goes = points.filter((point) => !stays.has(point.id));
  return new Map(
    goes.map((point) => [point.id, 'a newer point stands for its day, week, month or year, or it is too old for all']),
  );
}

function bySpace(points: readonly SchemePoint[], bytes: number): Map<string, string> {
  const goes = new Map<string, string>();
  let total = points.reduce((sum, point) => sum + point.storedBytes, 0);
  for (const point of points) {
    if (total <= bytes) break;
    goes.set(point.id, 'the points take more room than allowed, and it is the oldest');
    total -= point.storedBytes;
  }
  return goes;
}

export interface AnomalyFacts {
  readonly receivedAtMs: number;
  readonly usedBytes: number;
  readonly newBytes: number;
  readonly method: BackupMethod;
}

/** Why nothing should be deleted from a series right now, or null: a clock that jumped, a burst of runs, most of the disk changed at once. */
export function anomalyOf(points: readonly AnomalyFacts[], nowMs: number): string | null {
  const sorted = [...points].sort((a, b) => a.receivedAtMs - b.receivedAtMs);
  const newest = sorted.at(-1);
  if (newest === undefined || sorted.length < 2) return null;
  if (newest.receivedAtMs > nowMs + dayMs) return 'a point is from the future: the clock of the store has jumped';
  const lastDay = sorted.filter((point) => point.receivedAtMs > newest.receivedAtMs - dayMs).length;
  const daysBefore = Math.max(1, (newest.receivedAtMs - dayMs - (sorted[0]?.receivedAtMs ?? 0)) / dayMs);
  const usual = (sorted.length - lastDay) / daysBefore;
  if (lastDay >= 10 && lastDay > 5 * Math.max(1, usual)) return `${lastDay} points in one day, far more than usual`;
  if (newest.method !== 'full' && newest.usedBytes > 0 && newest.newBytes > 0.6 * newest.usedBytes) {
    return 'more than 60 % of the disk changed with the newest point, as after an encryption by malware';
  }
  return null;
}
