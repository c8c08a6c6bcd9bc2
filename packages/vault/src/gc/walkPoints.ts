/** What points need: every map node and chunk below a manifest. Stops at the first thing it cannot read: guessing here would lose data. */
import { VaultError } from '../errors.ts';
import { decodeLeaf, decodePage, decodeRoot } from '../map/mapNodes.ts';
import { decodeManifest, pointIdOfName } from '../point/manifest.ts';
import type { PointBody, PointHeader, Store, VaultKeys } from '../types.ts';
import { type GcListing, isVoid, type VoidRule } from './gcObjects.ts';

export interface OpenedPoint {
  readonly name: string;
  readonly header: PointHeader;
  readonly body: PointBody;
}

/** Manifests of all points, ids in order of names. */
export async function pointNames(store: Store): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for await (const { name } of store.list('points/')) {
    const id = pointIdOfName(name);
    if (id !== null) names.set(id, name);
  }
  return names;
}

/** @throws VaultError `POINT_DAMAGED`, and `VAULT_OBJECT_MISSING` for one removed meanwhile. */
export async function openManifest(
  store: Store,
  name: string,
  vault: { vaultId: string; keys: VaultKeys },
): Promise<OpenedPoint> {
  const manifest = decodeManifest(await store.get(name), name, vault);
  return { name, header: manifest.header, body: manifest.openBody() };
}

/** [F24] Ids that other points or the last sweep speak of and that are neither there nor removed on purpose. */
export function lostPoints(points: readonly OpenedPoint[], rule: VoidRule | null, listing: GcListing): string[] {
  const there = new Set(points.map((point) => point.header.id));
  const expected = new Set(rule?.witness ?? []);
  for (const { header, body } of points) {
    if (isVoid(rule, header.id, body.gcSeen)) continue;
    if (body.previousId !== undefined && body.previousId !== null) expected.add(body.previousId);
  }
  return [...expected].filter((id) => !there.has(id) && !listing.removed.has(id));
}

export interface Walk {
  readonly readNode: (id: Uint8Array) => Promise<Buffer>;
  /** Told of every id a point needs, nodes included; false for an id that is nowhere. */
  readonly use: (id: Buffer) => boolean;
  /** True when the node was walked before; remembers it else. */
  readonly seen: (id: Buffer) => boolean;
  readonly signal: AbortSignal | undefined;
}

/** @throws VaultError `VAULT_DAMAGED` naming the point and what it lacks. */
export async function walkPoint(walk: Walk, point: OpenedPoint): Promise<void> {
  for (const info of point.body.disks) {
    const lost = (id: Buffer): never => {
      const text = `restore point ${point.header.id} needs chunk ${id.toString('hex')}, which is not in the vault: repair it, or remove the point`;
      throw new VaultError('VAULT_DAMAGED', text);
    };
    const use = (id: Buffer) => walk.use(id) || lost(id);
    const root = Buffer.from(info.mapRootId, 'hex');
    const what = `the map of ${info.name} in restore point ${point.header.id}`;
    const needsWalk = (id: Buffer) => !walk.seen(id) && use(id);
    if (!needsWalk(root)) continue;
    for (const page of decodeRoot(await walk.readNode(root), what).pages) {
      walk.signal?.throwIfAborted();
      if (!needsWalk(page.id)) continue;
      for (const leaf of decodePage(await walk.readNode(page.id), what)) {
        if (!needsWalk(leaf.id)) continue;
        for (const { chunk } of decodeLeaf(await walk.readNode(leaf.id), what)) if (chunk !== null) use(chunk);
      }
    }
  }
}
