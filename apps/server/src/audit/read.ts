import { auditLog } from '@diskfleet/db';
import type { AuditEntryView } from '@diskfleet/protocol';
import { asc, desc, gt, lt } from 'drizzle-orm';
import type { Ctx } from '../context.ts';
import { CHAIN_START, findBreak } from './chain.ts';

/** Newest first. */
export async function listAudit(
  ctx: Ctx,
  input: { limit: number; beforeSeq?: number },
): Promise<{ entries: readonly AuditEntryView[]; nextBeforeSeq: number | null }> {
  const rows = await ctx.db
    .select()
    .from(auditLog)
    .where(input.beforeSeq === undefined ? undefined : lt(auditLog.seq, input.beforeSeq))
    .orderBy(desc(auditLog.seq))
    .limit(input.limit + 1);
  const entries = rows
    .slice(0, input.limit)
    .map(({ seq, at, actor, action, subject, detail }) => ({ seq, at: at.toISOString(), actor, action, subject, detail }));
  return { entries, nextBeforeSeq: rows.length > input.limit ? (entries.at(-1)?.seq ?? null) : null };
}

const PAGE = 5000;

/** Recomputes the whole chain, in constant memory. */
export async function verifyAudit(ctx: Ctx): Promise<{ ok: boolean; entries: number; brokenAtSeq: number | null }> {
  let last = { seq: 0, hash: CHAIN_START };
  for (let entries = 0; ; ) {
    const rows = await ctx.db.select().from(auditLog).where(gt(auditLog.seq, last.seq)).orderBy(asc(auditLog.seq)).limit(PAGE);
    const brokenAtSeq = findBreak(rows, last);
    entries += rows.length;
    if (brokenAtSeq !== null) return { ok: false, entries, brokenAtSeq };
    last = rows.at(-1) ?? last;
    if (rows.length < PAGE) return { ok: true, entries, brokenAtSeq: null };
  }
}
