/** What points need: every map node and chunk below a manifest. */
import { VaultError } from '../errors.ts';
import { decodeLeaf, decodePage, decodeRoot, type LeafEntry, leavesPerPage } from '../map/mapNodes.ts';
import { decodeManifest, pointIdOfName } from '../point/manifest.ts';
import type { OnChunk, SavedDiskInfo, Store, VaultKeys } from '../types.ts';
import { type GcListing, isVoid, type VoidRule } from './gcObjects.ts';

/** What of a manifest is kept while many are walked: 100,000 whole ones would take a gigabyte. */
export interface OpenedPoint {
  readonly name: string;
  readonly id: string;
  readonly gcSeen: number | undefined;
  readonly previousId: string | null;
  readonly disks: readonly MapOfDisk[];
}

export type MapOfDisk = Pick<SavedDiskInfo, 'name' | 'sizeBytes' | 'mapRootId'>;

/** Manifests of all points, ids in order of names. */
export async function pointNames(store: Store): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for await (const { name } of store.list('points/')) {
    const id = pointIdOfName(name);
    if (id !== null) names.set(id, name);
  }
  return names;
}

const manifestsAtOnce = 16;

/** Opens manifests in the order of `names`, some at once: over a network the waits overlap. A failure is handed over, not thrown. */
export async function* openManifests(
  store: Store,
  names: Iterable<string>,
  vault: { vaultId: string; keys: VaultKeys },
): AsyncGenerator<{ name: string; point: OpenedPoint | null; cause: unknown }> {
  const all = [...names];
  const open = async (name: string) => {
    try {
      const manifest = decodeManifest(await store.get(name), name, vault);
      const { gcSeen, previousId = null, disks } = manifest.openBody();
      const maps = disks.map(({ name: disk, sizeBytes, mapRootId }) => ({ name: disk, sizeBytes, mapRootId }));
      return { name, point: { name, id: manifest.header.id, gcSeen, previousId, disks: maps }, cause: null };
    } catch (cause) {
      return { name, point: null, cause };
    }
  };
  for (let at = 0; at < all.length; at += manifestsAtOnce) {
    yield* await Promise.all(all.slice(at, at + manifestsAtOnce).map(open));
  }
}

/** The same, leaving out points removed meanwhile. @throws VaultError `POINT_DAMAGED`. */
export async function* openPresentManifests(
  store: Store,
  names: Iterable<string>,
  vault: { vaultId: string; keys: VaultKeys },
): AsyncGenerator<OpenedPoint> {
  for await (const { point, cause } of openManifests(store, names, vault)) {
    if (point !== null) yield point;
    else if (!(cause instanceof VaultError) || cause.code !== 'VAULT_OBJECT_MISSING') throw cause;
  }
}

/** [F24] Ids that other points or the last sweep speak of and that are neither there nor removed on purpose. */
export function lostPoints(points: readonly OpenedPoint[], rule: VoidRule | null, listing: GcListing): string[] {
  const there = new Set(points.map((point) => point.id));
  const expected = new Set(rule?.witness ?? []);
  for (const { id, gcSeen, previousId } of points) {
    if (previousId !== null && !isVoid(rule, id, gcSeen)) expected.add(previousId);
  }
  return [...expected].filter((id) => !there.has(id) && !listing.removed.has(id));
}

/** A map node on the way: `index` is the number of the page or region it stands for. */
export interface NodePlace {
  readonly id: Buffer;
  readonly point: OpenedPoint;
  readonly disk: MapOfDisk;
  readonly index: number;
}

export interface Walk {
  /** Hands over each node once, in any order. */
  readonly readNodes: (ids: readonly Uint8Array[], onNode: OnChunk) => Promise<void>;
  /** Whether to walk this node; false when it was walked before. */
  readonly enter: (node: NodePlace) => boolean;
  readonly onRoot?: (deviceSizeBytes: number, node: NodePlace) => void;
  readonly onLeaf: (entries: readonly LeafEntry[], node: NodePlace) => void;
  readonly signal: AbortSignal | undefined;
}

const pointsAtOnce = 64;
/** Their leaves, 4096 each, are in memory at once. */
const pagesAtOnce = 16;
const leavesAtOnce = 4096;

/**
 * Walks the maps of all points, level by level and many at once, so that nodes are read in the order they are stored. What an earlier
 * point has in common is not read again.
 */
export async function walkPoints(walk: Walk, points: readonly OpenedPoint[]): Promise<void> {
  for (let at = 0; at < points.length; at += pointsAtOnce) {
    const roots: NodePlace[] = [];
    for (const point of points.slice(at, at + pointsAtOnce)) {
      for (const disk of point.disks) {
        const root = { id: Buffer.from(disk.mapRootId, 'hex'), point, disk, index: 0 };
        if (walk.enter(root)) roots.push(root);
      }
    }
    const pages: NodePlace[] = [];
    await readAll(walk, roots, (bytes, node) => {
      const root = decodeRoot(bytes, whatOf(node));
      walk.onRoot?.(root.deviceSizeBytes, node);
      for (const { index, id } of root.pages) enterChild(walk, pages, { ...node, index, id: Buffer.from(id) });
    });
    for (let page = 0; page < pages.length; page += pagesAtOnce) {
      await walkPages(walk, pages.slice(page, page + pagesAtOnce));
    }
  }
}

async function walkPages(walk: Walk, pages: readonly NodePlace[]): Promise<void> {
  const leaves: NodePlace[] = [];
  await readAll(walk, pages, (bytes, node) => {
    for (const { index, id } of decodePage(bytes, whatOf(node))) {
      enterChild(walk, leaves, { ...node, index: node.index * leavesPerPage + index, id: Buffer.from(id) });
    }
  });
  for (let at = 0; at < leaves.length; at += leavesAtOnce) {
    await readAll(walk, leaves.slice(at, at + leavesAtOnce), (bytes, node) => walk.onLeaf(decodeLeaf(bytes, whatOf(node)), node));
  }
}

function enterChild(walk: Walk, children: NodePlace[], child: NodePlace): void {
  if (walk.enter(child)) children.push(child);
}

async function readAll(
  walk: Walk,
  nodes: readonly NodePlace[],
  onNode: (bytes: Uint8Array, node: NodePlace) => void,
): Promise<void> {
  walk.signal?.throwIfAborted();
  if (nodes.length === 0) return;
  const byId = new Map(nodes.map((node) => [node.id.toString('latin1'), node]));
  await walk.readNodes(
    nodes.map((node) => node.id),
    (id, plain) => {
      const node = byId.get(Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1'));
      if (node !== undefined) onNode(plain, node);
    },
  );
}

function whatOf({ disk, point }: NodePlace): string {
  return `the map of ${disk.name} in restore point ${point.id}`;
}

/** @throws VaultError `VAULT_DAMAGED`: guessing here would lose data. */
export function lacks(point: OpenedPoint, id: Buffer): never {
  const text = `restore point ${point.id} needs chunk ${id.toString('hex')}, which is not in the vault: repair it, or remove the point`;
  throw new VaultError('VAULT_DAMAGED', text);
}
