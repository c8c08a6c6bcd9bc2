/** [F22] Looks at the vault as it lies in the store now, not as this process remembers it. */
import { openText } from '../config/checkedText.ts';
import { checkKeys, configName, decodeConfig } from '../config/config.ts';
import { VaultError } from '../errors.ts';
import { type GcKey, isGcName, isVoid, listGc, openGc, readVoidRule } from '../gc/gcObjects.ts';
import { lostPoints, type OpenedPoint, openManifests } from '../gc/walkPoints.ts';
import type { KnownChunks } from '../index/knownChunks.ts';
import {
  entriesToExpect,
  everySegment,
  type NamedSegment,
  type SegmentHead,
  type SegmentSource,
  segmentHeads,
} from '../index/liveSegments.ts';
import { countNodes } from '../index/segment.ts';
import { StoredChunkReader } from '../pack/chunkReader.ts';
import type { ReaderKeys } from '../pack/recordDecoder.ts';
import { decodeManifest, pointIdOfName } from '../point/manifest.ts';
import type { Vault, VerifyReport } from '../types.ts';
import type { VaultContext } from './context.ts';
import { DamageList } from './damage.ts';
import { presentPacks } from './knownForRun.ts';
import { mapsAreSound } from './mapsAreSound.ts';
import { VaultIndex } from './vaultIndex.ts';
import { verifyMap } from './verifyMaps.ts';
import { BadPlaces, verifyPacks } from './verifyPacks.ts';

export type VerifyOptions = Parameters<Vault['verify']>[0];

const kinds = [configName, 'keys/', 'sessions/', 'gc/', 'points/', 'index/'];

interface Run {
  readonly context: VaultContext;
  readonly options: VerifyOptions;
  /** Of all objects but packs, of which there may be millions. */
  readonly sizes: Map<string, number>;
  readonly damage: DamageList;
  readonly bad: BadPlaces;
  readonly source: SegmentSource;
  readonly present: KnownChunks;
  /** Null without the read capability. */
  readonly keys: ReaderKeys | null;
  readonly done: { bytes: number; objects: number; total: number };
}

/** @throws VaultError `POINT_NOT_FOUND` for an unknown `pointId`, `VAULT_KEY_NEEDED` for `content` without the read capability. */
export async function verifyVault(context: VaultContext, options: VerifyOptions): Promise<VerifyReport> {
  const { keys, config } = context;
  const canRead = keys !== null && (config.encryption === 'none' || keys.privateKey !== null);
  if (options.level === 'content' && !canRead) {
    throw new VaultError(
      'VAULT_KEY_NEEDED',
      "checking content needs the vault's private key or passphrase; `data` works without",
    );
  }
  // Points before segments and packs: what they need is there before they are.
  const sizes = new Map<string, number>();
  for (const kind of kinds) for await (const { name, sizeBytes } of context.store.list(kind)) sizes.set(name, sizeBytes);
  let packBytes = 0;
  const present = await presentPacks(context.store, (sizeBytes) => {
    packBytes += sizeBytes;
  });
  const run: Run = {
    context,
    options,
    sizes,
    present,
    damage: new DamageList(),
    bad: new BadPlaces(),
    source: { store: context.store, vaultId: config.vaultId, idKey: keys?.idKey ?? null },
    keys: keys !== null && canRead ? { keys, vaultId: config.vaultId, idAlgorithm: config.idAlgorithm } : null,
    done: { bytes: 0, objects: 0, total: options.level === 'structure' ? 0 : packBytes },
  };
  for (const size of sizes.values()) run.done.total += size;
  await verifySmallObjects(run);
  const points = await verifyManifests(run);
  await verifyContent(run, points);
  const damaged = run.damage.toReport(options.pointId);
  return { checkedBytes: run.done.bytes, checkedObjects: run.done.objects, damaged };
}

function keyOf({ config, keys }: VaultContext): GcKey | null {
  return keys === null ? null : { vaultId: config.vaultId, idKey: keys.idKey };
}

function countObject(run: Run, sizeBytes: number): void {
  run.done.bytes += sizeBytes;
  run.done.objects += 1;
  run.options.onProgress?.(run.done.bytes, Math.max(run.done.bytes, run.done.total));
}

async function verifySmallObjects(run: Run): Promise<void> {
  const { context, damage } = run;
  for (const [name, size] of run.sizes) {
    const isConfig = name === configName;
    const isGc = isGcName(name);
    if (!isConfig && !isGc && !name.startsWith('keys/') && !name.startsWith('sessions/')) continue;
    try {
      const bytes = await context.store.get(name);
      if (isGc) openGc(bytes, name, keyOf(context));
      else if (!isConfig) openText(bytes, name);
      else if (context.keys !== null) checkKeys(decodeConfig(bytes), context.keys);
      else decodeConfig(bytes);
    } catch (cause) {
      // A session may end between listing and reading, a sweep too.
      const passing = isGc || name.startsWith('sessions/');
      if (cause instanceof VaultError && cause.code === 'VAULT_OBJECT_MISSING' && passing) continue;
      noteDamage(damage, name, cause);
    }
    countObject(run, size);
  }
  if (!run.sizes.has(configName)) damage.add(configName, 'it is missing');
}

/** Passing trouble (the network, the store) is no damage and ends the run. */
function noteDamage(damage: DamageList, object: string, cause: unknown): void {
  if (!(cause instanceof VaultError) || cause.retry === 'later' || cause.code === 'VAULT_REFUSED') throw cause;
  damage.add(object, cause.message);
}

async function verifyManifests(run: Run): Promise<OpenedPoint[]> {
  const { context, damage, options } = run;
  const names = [...run.sizes.keys()].filter((name) => {
    return name.startsWith('points/') && (options.pointId === undefined || options.pointId === pointIdOfName(name));
  });
  if (options.pointId !== undefined && names.length === 0) {
    throw new VaultError('POINT_NOT_FOUND', `the vault has no restore point ${options.pointId}`);
  }
  const noteLost = (name: string, cause: unknown) => {
    noteDamage(damage, name, cause);
    const id = pointIdOfName(name);
    if (id !== null) damage.hitPoint(name, id);
  };
  if (run.keys === null) {
    await verifyClosedManifests(run, names, noteLost);
    return [];
  }
  const listing = await listGc(context.store);
  const key = { vaultId: context.config.vaultId, keys: run.keys.keys };
  const rule = await readVoidRule(context.store, listing, { vaultId: key.vaultId, idKey: key.keys.idKey });
  const opened: OpenedPoint[] = [];
  for await (const { name, point, cause } of openManifests(context.store, names, key)) {
    options.signal?.throwIfAborted();
    if (point === null) noteLost(name, cause);
    else opened.push(point);
    countObject(run, run.sizes.get(name) ?? 0);
  }
  // A run that is not told of all points cannot tell that one is gone; nor can one that found damaged ones.
  if (options.pointId === undefined) {
    const damagedIds = new Set(names.map((name) => pointIdOfName(name)));
    for (const id of lostPoints(opened, rule, listing)) {
      if (damagedIds.has(id)) continue;
      damage.add(`point ${id}`, 'its manifest is gone, and nobody removed it');
      damage.hitPoint(`point ${id}`, id);
    }
  }
  return opened.filter((point) => !isVoid(rule, point.id, point.gcSeen));
}

async function verifyClosedManifests(
  run: Run,
  names: readonly string[],
  noteLost: (name: string, cause: unknown) => void,
): Promise<void> {
  const { config, keys, store } = run.context;
  for (const name of names) {
    run.options.signal?.throwIfAborted();
    try {
      decodeManifest(await store.get(name), name, { vaultId: config.vaultId, keys });
    } catch (cause) {
      noteLost(name, cause);
    }
    countObject(run, run.sizes.get(name) ?? 0);
  }
}

async function verifyContent(run: Run, points: readonly OpenedPoint[]): Promise<void> {
  const { context, options, damage, bad, source } = run;
  const { store } = context;
  const heads = await segmentHeads(store);
  const only = options.pointId === undefined || run.keys === null ? null : await packsOf(run, points);
  const listed = { live: (await entriesToExpect(store, heads)).live, nodes: 0 };
  const segments = countedSegments(run, heads, (nodes) => {
    listed.nodes += nodes;
  });
  await verifyPacks(
    {
      ...{ store, keys: run.keys, level: options.level, damage, bad, only, present: run.present },
      onObject: (sizeBytes) => countObject(run, sizeBytes),
      signal: options.signal,
    },
    segments,
  );
  if (run.keys === null) return;
  if (only === null) {
    const index = new VaultIndex(source, { nodesOnly: listed.nodes });
    const reader = new StoredChunkReader(store, run.keys, () => index.places);
    try {
      if (await mapsAreSound({ source, heads, listed, bad, reader, index, points, signal: options.signal })) return;
    } finally {
      reader.close();
    }
  }
  await walkExactly(run, points, { damage });
}

/** All segments, noting damaged ones and counting the others. */
async function* countedSegments(
  run: Run,
  heads: readonly SegmentHead[],
  onNodes: (count: number) => void,
): AsyncGenerator<NamedSegment> {
  const onDamaged = (name: string, problem: string) => run.damage.add(name, problem);
  for await (const one of everySegment(run.source, heads, onDamaged)) {
    run.options.signal?.throwIfAborted();
    countObject(run, run.sizes.get(one.name) ?? 0);
    onNodes(countNodes(one.segment));
    yield one;
  }
}

/** Hex names of the packs that hold what these points need. */
async function packsOf(run: Run, points: readonly OpenedPoint[]): Promise<ReadonlySet<string>> {
  const packs = new Set<string>();
  await walkExactly(run, points, { damage: new DamageList(), onPack: (pack) => packs.add(pack) });
  return packs;
}

async function walkExactly(
  run: Run,
  points: readonly OpenedPoint[],
  into: { damage: DamageList; onPack?: (pack: string) => void },
): Promise<void> {
  if (run.keys === null) return;
  const index = new VaultIndex(run.source);
  const reader = new StoredChunkReader(run.context.store, run.keys, () => index.places);
  const check = { reader, index, bad: run.bad, soundLeaves: new Set<string>(), signal: run.options.signal, ...into };
  try {
    for (const { id: pointId, disks } of points) {
      for (const [disk, info] of disks.entries()) await verifyMap(check, { pointId, disk, info });
    }
  } finally {
    reader.close();
  }
}
