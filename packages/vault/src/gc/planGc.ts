/** [F25] What a sweeper does next, decided from facts alone. */

export interface SessionFact {
  /** Of the point id's first and newest renewal, by the store's clock; null where the store does not tell. */
  readonly firstAtMs: number | null;
  readonly lastAtMs: number | null;
}

export interface SweepFacts {
  /** By the store's clock; null where the store does not tell. */
  readonly nowMs: number | null;
  readonly markedAtMs: number | null;
  /** The fence stands: there is no way back. */
  readonly fenced: boolean;
  readonly sessions: readonly SessionFact[];
  readonly delayMs: number;
  readonly leaseMs: number;
}

/** A clock that is set right again leaves times behind that lie ahead; what is stamped more than a day from now is as old as can be. */
const aheadMs = 24 * 3_600_000;

/** Age of what the store stamped `atMs`. No rule needs it to be right to be safe [F26]. */
function ageMs(nowMs: number, atMs: number): number {
  return atMs - nowMs > aheadMs ? Number.POSITIVE_INFINITY : nowMs - atMs;
}

export type SweepDecision = { readonly kind: 'sweep' } | { readonly kind: 'wait'; readonly why: 'delay' | 'session' | 'clock' };

export function planSweep(facts: SweepFacts): SweepDecision {
  const { nowMs, markedAtMs, leaseMs } = facts;
  if (facts.fenced) return { kind: 'sweep' };
  if (nowMs === null || markedAtMs === null) return { kind: 'wait', why: 'clock' };
  if (ageMs(nowMs, markedAtMs) < facts.delayMs) return { kind: 'wait', why: 'delay' };
  const older = facts.sessions.filter((one) => (one.firstAtMs ?? 0) <= markedAtMs);
  if (older.some((one) => isAlive(one, nowMs, leaseMs))) return { kind: 'wait', why: 'session' };
  return { kind: 'sweep' };
}

export function isAlive(session: SessionFact, nowMs: number, leaseMs: number): boolean {
  return session.lastAtMs === null || ageMs(nowMs, session.lastAtMs) < leaseMs;
}

export interface PackFacts {
  readonly name: string;
  readonly sizeBytes: number;
  readonly storedAtMs: number | null;
  /** Bytes of records, and of those in use. */
  usedBytes: number;
  liveBytes: number;
}

export interface MarkLimits {
  readonly nowMs: number | null;
  /** Packs younger than this are left alone: a run that died may be taken up again. */
  readonly youngMs: number;
  /** At most this much is copied in one run. */
  readonly repackBytes: number;
  /** At most so many packs go at once; 2^17. */
  readonly mostPacks?: number;
}

/** More than a terabyte; what is left over is marked by the next run. Keeps marks, and what their sweep takes of memory, bounded. */
const maxMarkedPacks = 1 << 17;

/** `dead` packs hold nothing in use. `sparse` ones less than half: emptiest first, as many as `repackBytes` allows. */
export function planMark(packs: Iterable<PackFacts>, limits: MarkLimits): { dead: PackFacts[]; sparse: PackFacts[] } {
  const dead: PackFacts[] = [];
  const candidates: PackFacts[] = [];
  for (const pack of packs) {
    if (limits.nowMs === null || pack.storedAtMs === null || ageMs(limits.nowMs, pack.storedAtMs) < limits.youngMs) continue;
    if (pack.liveBytes === 0) dead.push(pack);
    else if (pack.liveBytes * 2 < pack.usedBytes) candidates.push(pack);
  }
  candidates.sort((a, b) => a.liveBytes / a.usedBytes - b.liveBytes / b.usedBytes || (a.name < b.name ? -1 : 1));
  let room = limits.repackBytes;
  const sparse = candidates.filter((pack) => {
    room -= pack.liveBytes;
    return room >= 0;
  });
  const most = limits.mostPacks ?? maxMarkedPacks;
  return { dead: dead.slice(0, most), sparse: sparse.slice(0, Math.max(0, most - dead.length)) };
}
