/** The hash chain of the audit log. Pure: what one entry hashes to, and where a list stops being a chain. */
import { createHash } from 'node:crypto';

export interface ChainedEntry {
  readonly seq: number;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: string;
  readonly prevHash: string;
}

/** Hash before the first entry. */
export const CHAIN_START = '0'.repeat(64);

/** SHA-256, hex, of the entry as a JSON list: no two different entries give the same text. */
export function entryHash(entry: ChainedEntry): string {
  const { seq, at, actor, action, subject, detail, prevHash } = entry;
  const text = JSON.stringify(['diskfleet-audit-v1', seq, at.toISOString(), actor, action, subject, detail, prevHash]);
  return createHash('sha256').update(text).digest('hex');
}

/** Seq of the first entry that does not follow from the one before it, or null. */
export function findBreak(
  entries: Iterable<ChainedEntry & { readonly hash: string }>,
  before: { readonly seq: number; readonly hash: string } = { seq: 0, hash: CHAIN_START },
): number | null {
  let last = before;
  for (const entry of entries) {
    if (entry.seq !== last.seq + 1) return last.seq + 1;
    if (entry.prevHash !== last.hash || entry.hash !== entryHash(entry)) return entry.seq;
    last = entry;
  }
  return null;
}
