/** [F25] One run of the sweeper: goes on with what is unfinished, then marks anew. Backups go on meanwhile. */
import { randomBytes } from 'node:crypto';
import { gcFeature, unknownFeatures } from '../config/config.ts';
import { VaultError } from '../errors.ts';
import { startLease } from '../point/lease.ts';
import { type GcListing, listGc, openCycle } from './gcObjects.ts';
import { type GcRun, readSessions } from './gcRun.ts';
import { type Marked, markPacks } from './markPacks.ts';
import { isAlive, planSweep } from './planGc.ts';
import { removeUnlessLocked } from './removeObject.ts';
import { type Swept, sweepPacks } from './sweepPacks.ts';

export interface GcReport {
  /** Packs removed by this run. */
  readonly swept: Swept | null;
  /** Packs marked by this run, to be removed by a later one. */
  readonly marked: Marked | null;
  /** Why a mark made earlier was not swept yet: it is too young, a run that began before it is alive, or the store tells no times. */
  readonly waiting: 'delay' | 'session' | 'clock' | null;
}

const hourMs = 3_600_000;

/** @throws VaultError `VAULT_TOO_OLD`, `VAULT_TOO_NEW`, `VAULT_DAMAGED`, `POINT_DAMAGED`, `VAULT_SWEPT` (another sweeper was faster), and what the store throws; a later run goes on. */
export async function collectGarbage(input: Omit<GcRun, 'sessionId' | 'heads'>): Promise<GcReport> {
  const { features } = input.config;
  if (!features.gc.includes(gcFeature)) {
    throw new VaultError(
      'VAULT_TOO_OLD',
      'this vault was made before clean-up existed: programs that do not expect it may be writing to it',
    );
  }
  const unknown = unknownFeatures(features.gc);
  if (unknown.length > 0) {
    throw new VaultError(
      'VAULT_TOO_NEW',
      `removing from this vault needs ${unknown.join(', ')}, which this program does not know`,
    );
  }
  const sessionId = randomBytes(16).toString('hex');
  const { vaultId } = input.config;
  const lease = await startLease(input.store, { id: sessionId, vaultId, startedAt: new Date(0).toISOString() });
  const before = await listGc(input.store);
  try {
    return await runSteps({ ...input, sessionId, heads: new Map() });
  } catch (cause) {
    throw (await sweptMeanwhile(input.store, before, cause)) ? otherSweeper(cause) : cause;
  } finally {
    await lease.end();
  }
}

/** What a sweeper misses while another one gets on is no damage: this one slept through a whole sweep. */
async function sweptMeanwhile(store: GcRun['store'], before: GcListing, cause: unknown): Promise<boolean> {
  const codes = ['VAULT_DAMAGED', 'POINT_DAMAGED', 'CHUNK_MISSING', 'VAULT_OBJECT_MISSING'];
  if (!(cause instanceof VaultError) || !codes.includes(cause.code)) return false;
  // Only another sweeper, or a repair, takes a segment away between its listing and its reading.
  if (cause.message.includes('the vault has no object index/')) return true;
  const stepsOf = ({ cycles }: GcListing) => cycles.map(({ number, steps }) => `${number} ${steps.size}`).join();
  return stepsOf(await listGc(store)) !== stepsOf(before);
}

function otherSweeper(cause: unknown): VaultError {
  return new VaultError('VAULT_SWEPT', 'another sweeper is at work in this vault; run again later', { retry: 'later', cause });
}

async function runSteps(run: GcRun): Promise<GcReport> {
  const { delayMs = 24 * hourMs, leaseMs = hourMs } = run.options;
  const { nowMs, sessions } = await readSessions(run);
  let listing = await listGc(run.store);
  const open = openCycle(listing);
  let swept: Swept | null = null;
  if (open !== null) {
    const fenced = open.steps.has('sweep');
    const decision = planSweep({ nowMs, markedAtMs: open.markedAtMs, fenced, sessions, delayMs, leaseMs });
    if (decision.kind === 'wait') return { swept, marked: null, waiting: decision.why };
    swept = await sweepPacks(run, open.number);
    listing = await listGc(run.store);
    if (openCycle(listing) !== null) return { swept, marked: null, waiting: null };
  }
  for (const session of sessions) {
    if (nowMs === null || isAlive(session, nowMs, leaseMs)) continue;
    for (const name of session.names) await removeUnlessLocked(run.store, name);
  }
  return { swept, marked: await markPacks(run, listing, nowMs), waiting: null };
}
