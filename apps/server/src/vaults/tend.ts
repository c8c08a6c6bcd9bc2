/**
 * Runs over managed vaults: once a day, or when an admin asks. The server holds the read key of such a vault, which a sweep needs; what is
 * removed is destroyed by the vault service alone, when its deletion delay is over. Running backups are not disturbed, and a run that
 * breaks off anywhere is gone on with by the next one.
 */
import { Worker } from 'node:worker_threads';
import { points, vaults } from '@diskfleet/db';
import { isFailureCode, type PrunePreview, type PruneRule, type TendReport } from '@diskfleet/protocol';
import { makeTokenCell, renewToken } from '@diskfleet/vault';
import { and, eq, inArray, isNotNull, isNull, lte, or } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { describeError, ServerError } from '../errors.ts';
import { serverToken, type VaultRow, vaultKeys } from './grants.ts';
import { purgeVault } from './service.ts';
import type { TendOrder, TendResult } from './tendWork.ts';
import { findVault } from './vaults.ts';

const DAY_MS = 24 * 3_600_000;
const RENEW_MS = 3_600_000;
const PATIENCE_MS = 60_000;
/** Tables over all chunks lie outside of this. */
const HEAP_MB = 512;

/** What the rule would delete now. @throws ServerError VAULT_UNREACHABLE and what the vault says. */
export async function previewPrune(
  ctx: Ctx,
  input: { id: string; rule?: PruneRule | undefined },
): Promise<readonly PrunePreview[]> {
  const vault = await findVault(ctx, input.id);
  const result = await runThread(ctx, vault, { rule: input.rule ?? vault.pruneRule, mode: 'look' });
  return result.verdicts;
}

/** Begins a run and returns; how it ended stands in `lastRun`. @throws ServerError NOT_FOUND, SERVER_BUSY when one is under way. */
export async function startTending(ctx: Ctx, by: string, vaultId: string): Promise<void> {
  const vault = await findVault(ctx, vaultId);
  if (ctx.vaults.tending.has(vaultId)) throw new ServerError('SERVER_BUSY', 'a clean-up of this vault is under way');
  // Taken before anything is waited for: of two who ask at once, one is told so.
  ctx.vaults.tending.set(vaultId, null);
  try {
    await audit(ctx.db, { at: ctx.now(), actor: by, action: 'vaults.tend', subject: vault.name });
  } catch (error) {
    ctx.vaults.tending.delete(vaultId);
    throw error;
  }
  void tendVault(ctx, by, vault);
}

/** The duty: every vault a day after its last run, one after the other. */
export async function tendVaults(ctx: Ctx): Promise<void> {
  const due = new Date(ctx.now().getTime() - DAY_MS);
  const rows = await ctx.db
    .select()
    .from(vaults)
    .where(or(lte(vaults.tendedAt, due), and(isNull(vaults.tendedAt), lte(vaults.createdAt, due))));
  for (const vault of rows) if (!ctx.vaults.tending.has(vault.id)) await tendVault(ctx, 'system', vault);
}

/** Never throws. */
export async function tendVault(ctx: Ctx, by: string, vault: VaultRow): Promise<TendReport | null> {
  const startedAt = ctx.now();
  ctx.vaults.tending.set(vault.id, null);
  try {
    await ctx.db.update(vaults).set({ tendedAt: startedAt }).where(eq(vaults.id, vault.id));
    ctx.live.publish({ kind: 'vault', vaultId: vault.id });
    const outcome = await purgeAndTend(ctx, vault).catch((error: unknown) => {
      const { code, detail } = describeError(error);
      ctx.log.warn({ vaultId: vault.id, code, detail }, 'clean-up of a vault failed');
      return { failure: { code, detail } };
    });
    if (!('failure' in outcome)) await followVault(ctx, vault.id, outcome);
    const report = reportOf(outcome, { startedAt: startedAt.toISOString(), endedAt: ctx.now().toISOString(), by });
    await ctx.db.transaction(async (tx) => {
      await tx.update(vaults).set({ lastTend: report }).where(eq(vaults.id, vault.id));
      // Of runs that changed nothing there is one a day in each vault: not worth an entry for ever.
      if (report.removedPoints + report.sweptPacks > 0 || report.failure !== null)
        await audit(tx, { at: ctx.now(), actor: by, action: 'vaults.tended', subject: vault.name, detail: detailOf(report) });
    });
    return report;
  } catch (error) {
    ctx.log.error({ vaultId: vault.id, err: error }, 'clean-up of a vault not recorded');
    return null;
  } finally {
    ctx.vaults.tending.delete(vault.id);
    ctx.live.publish({ kind: 'vault', vaultId: vault.id });
  }
}

async function purgeAndTend(ctx: Ctx, vault: VaultRow): Promise<TendResult> {
  await purgeVault(ctx, vault.id);
  return runThread(ctx, vault, { rule: vault.pruneRule, mode: 'tend' });
}

type Outcome = TendResult | { readonly failure: { readonly code: string; readonly detail: string } };

function reportOf(outcome: Outcome, run: { startedAt: string; endedAt: string; by: string }): TendReport {
  const nothing = { removedPoints: 0, keptPoints: 0, sweptPacks: 0, markedPacks: 0, waiting: null };
  if ('failure' in outcome) return { ...run, ...nothing, failure: outcome.failure };
  const { removed, kept, gc } = outcome;
  const [sweptPacks, markedPacks] = [gc?.swept?.packs ?? 0, gc?.marked?.packs ?? 0];
  return {
    ...run,
    removedPoints: removed,
    keptPoints: kept,
    sweptPacks,
    markedPacks,
    waiting: gc?.waiting ?? null,
    failure: null,
  };
}

function detailOf({ removedPoints, keptPoints, sweptPacks, failure }: TendReport): string {
  if (failure !== null) return failure.code;
  return `${removedPoints} points deleted, ${keptPoints} kept for now, ${sweptPacks} packs removed`;
}

/** The catalogue follows the vault: points that are going say when, those that went as announced leave it. */
export async function followVault(ctx: Ctx, vaultId: string, facts: Pick<TendResult, 'present' | 'going'>): Promise<void> {
  const going = new Map(facts.going);
  const present = new Set(facts.present);
  const rows = await ctx.db.select({ id: points.id, goesAt: points.goesAt }).from(points).where(eq(points.vaultId, vaultId));
  const gone: string[] = [];
  for (const { id, goesAt } of rows) {
    const atMs = going.get(id) ?? null;
    if (!present.has(id) && goesAt !== null && goesAt <= ctx.now()) gone.push(id);
    else if (present.has(id) && (goesAt?.getTime() ?? null) !== atMs) {
      await ctx.db
        .update(points)
        .set({ goesAt: atMs === null ? null : new Date(atMs) })
        .where(eq(points.id, id));
      ctx.live.publish({ kind: 'point', pointId: id });
    }
  }
  for (let at = 0; at < gone.length; at += 1000) {
    await ctx.db.delete(points).where(and(inArray(points.id, gone.slice(at, at + 1000)), isNotNull(points.goesAt)));
  }
}

interface Wanted {
  readonly rule: PruneRule | null;
  readonly mode: TendOrder['mode'];
}

async function runThread(ctx: Ctx, vault: VaultRow, wanted: Wanted): Promise<TendResult> {
  const marked = await ctx.db
    .select({ id: points.id, pinned: points.pinned, sound: points.verifiedOk })
    .from(points)
    .where(and(eq(points.vaultId, vault.id), or(eq(points.pinned, true), eq(points.verifiedOk, true))));
  const tokenCell = makeTokenCell();
  const baseUrl = `${ctx.settings.vaultUrl}/v1/vaults/${vault.id}`;
  const { token } = serverToken(ctx, vault.id, 'admin');
  const order: TendOrder = {
    ...wanted,
    store: { kind: 'service', baseUrl, token, tokenCell, patienceMs: PATIENCE_MS },
    keys: vaultKeys(ctx, vault),
    pinned: marked.filter(({ pinned }) => pinned).map(({ id }) => id),
    verified: marked.filter(({ sound }) => sound === true).map(({ id }) => id),
  };
  const renewal = setInterval(() => renewToken(tokenCell, serverToken(ctx, vault.id, 'admin').token), RENEW_MS);
  try {
    return await inThread(ctx, vault.id, order);
  } finally {
    clearInterval(renewal);
  }
}

/** The same code runs from source and bundled, where the thread's file lies beside main.js. */
function inThread(ctx: Ctx, vaultId: string, order: TendOrder): Promise<TendResult> {
  const name = import.meta.url.endsWith('.js') ? './tendThread.js' : './tendThread.ts';
  const thread = new Worker(new URL(name, import.meta.url), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  if (order.mode === 'tend') ctx.vaults.tending.set(vaultId, thread);
  return new Promise<TendResult>((resolve, reject) => {
    thread.once('message', (said: { result: TendResult } | { failure: { code: string; detail: string } }) => {
      if ('result' in said) return resolve(said.result);
      const { code, detail } = said.failure;
      reject(new ServerError(isFailureCode(code) ? code : 'INTERNAL', detail));
    });
    thread.once('error', reject);
    thread.once('exit', () => reject(new ServerError('WORKER_FAILED', 'the clean-up was stopped', { retry: 'later' })));
  });
}
