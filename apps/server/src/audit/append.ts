import { auditLog, type Queries } from '@diskfleet/db';
import { cleanText } from '@diskfleet/protocol';
import { desc, sql } from 'drizzle-orm';
import { CHAIN_START, entryHash } from './chain.ts';

/** One act. `actor` is an e-mail, `agent <name>` or `system`; texts may be foreign and are cleaned and cut here. */
export interface Act {
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail?: string;
}

const AUDIT_LOCK = 7_301_002;

/** Adds an entry. Inside a transaction it stands or falls with it; writers wait for each other, so the chain has no gap. */
export async function audit(db: Queries, act: Act): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${AUDIT_LOCK})`);
    const [last] = await tx.select().from(auditLog).orderBy(desc(auditLog.seq)).limit(1);
    const entry = {
      seq: (last?.seq ?? 0) + 1,
      at: act.at,
      actor: cleanText(act.actor).slice(0, 300),
      action: act.action,
      subject: cleanText(act.subject).slice(0, 500),
      detail: cleanText(act.detail ?? '').slice(0, 2000),
      prevHash: last?.hash ?? CHAIN_START,
    };
    await tx.insert(auditLog).values({ ...entry, hash: entryHash(entry) });
  });
}
