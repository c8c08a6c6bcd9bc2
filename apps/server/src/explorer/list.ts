import type { ExploreEntry } from '@diskfleet/engine';
import type { ExplorerEntry, ExplorerPage, UserView } from '@diskfleet/protocol';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { findPoint, pointName } from '../points/points.ts';
import { withExplorer } from '../vaults/openVaults.ts';

interface ListInput {
  readonly pointId: string;
  readonly diskIndex: number;
  readonly path: string;
  readonly cursor?: number;
  readonly limit: number;
}

/** Folders larger than this are shown in part; the rest is reached by restoring them. */
const MOST_ENTRIES = 200_000;

/** One page of a folder of a saved disk: folders first, then by name. `/` lists the partitions. Audited. */
export async function listFolder(ctx: Ctx, user: UserView, input: ListInput): Promise<ExplorerPage> {
  const point = await findPoint(ctx, input.pointId);
  const { pointId, diskIndex, path, limit } = input;
  const entries = await withExplorer(ctx, { vaultId: point.point.vaultId, pointId, diskIndex }, async (explorer) => {
    const found: ExplorerEntry[] = [];
    for await (const entry of explorer.list(path)) {
      found.push(toEntry(entry));
      if (found.length >= MOST_ENTRIES) break;
    }
    return found;
  });
  if (entries[0]?.type !== 'partition') entries.sort(byKindThenName);
  const from = input.cursor ?? 0;
  const subject = pointName(point);
  if (from === 0) await audit(ctx.db, { at: ctx.now(), actor: user.email, action: 'explorer.list', subject, detail: path });
  const next = from + limit;
  return {
    path,
    entries: entries.slice(from, next),
    nextCursor: next < entries.length ? next : null,
    total: entries.length,
  };
}

function byKindThenName(a: ExplorerEntry, b: ExplorerEntry): number {
  const folder = Number(b.type === 'directory') - Number(a.type === 'directory');
  return folder || (a.name < b.name ? -1 : 1);
}

function toEntry({ name, type, sizeBytes, modifiedAtMs, linkTarget, partition, listable }: ExploreEntry): ExplorerEntry {
  const modified = modifiedAtMs === null ? null : new Date(modifiedAtMs);
  return {
    name,
    type: partition ? 'partition' : type === 'file' || type === 'directory' || type === 'symlink' ? type : 'other',
    sizeBytes: partition ? partition.sizeBytes : sizeBytes,
    modifiedAt: modified && !Number.isNaN(modified.getTime()) ? modified.toISOString() : null,
    linkTarget,
    description: partition ? describe(partition) : null,
    browsable: listable,
    ...(partition?.content === 'leftOut' ? { leftOut: true } : {}),
  };
}

function describe({ filesystem, name, typeName, content }: NonNullable<ExploreEntry['partition']>): string {
  const label = filesystem?.label || name;
  const absent = content === 'leftOut' ? 'not part of this restore point' : '';
  return [filesystem?.kind ?? typeName, label, absent].filter(Boolean).join(' · ');
}
