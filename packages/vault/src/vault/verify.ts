/** [F22] Looks at the vault as it lies in the store now, not as this process remembers it. */
import { openText } from '../config/checkedText.ts';
import { checkKeys, configName, decodeConfig } from '../config/config.ts';
import { VaultError } from '../errors.ts';
import { type GcKey, isGcName, isVoid, listGc, openGc, readVoidRule } from '../gc/gcObjects.ts';
import { lostPoints, type OpenedPoint } from '../gc/walkPoints.ts';
import { StoredChunkReader } from '../pack/chunkReader.ts';
import type { ReaderKeys } from '../pack/recordDecoder.ts';
import { decodeManifest, pointIdOfName } from '../point/manifest.ts';
import type { PointBody, Vault, VerifyReport } from '../types.ts';
import type { VaultContext } from './context.ts';
import { DamageList } from './damage.ts';
import { emptyIndex, type LoadedIndex, loadIndex } from './loadIndex.ts';
import { verifyMap } from './verifyMaps.ts';
import { BadPlaces, verifyPacks } from './verifyPacks.ts';

export type VerifyOptions = Parameters<Vault['verify']>[0];

interface Run {
  readonly context: VaultContext;
  readonly options: VerifyOptions;
  readonly sizes: Map<string, number>;
  readonly damage: DamageList;
  readonly bad: BadPlaces;
  readonly index: LoadedIndex;
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
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes } of context.store.list('')) sizes.set(name, sizeBytes);
  const run: Run = {
    context,
    options,
    sizes,
    damage: new DamageList(),
    bad: new BadPlaces(),
    index: emptyIndex(),
    keys: keys !== null && canRead ? { keys, vaultId: config.vaultId, idAlgorithm: config.idAlgorithm } : null,
    done: { bytes: 0, objects: 0, total: 0 },
  };
  for (const [name, size] of sizes) if (options.level !== 'structure' || !name.startsWith('packs/')) run.done.total += size;
  await verifySmallObjects(run);
  await loadIndex(context.store, run.index, { vaultId: config.vaultId, idKey: keys?.idKey ?? null });
  for (const [name, problem] of run.index.damaged) run.damage.add(name, problem);
  for (const name of run.index.loaded) countObject(run, sizes.get(name) ?? 0);
  const bodies = await verifyManifests(run);
  await verifyContent(run, bodies);
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

async function verifyManifests(run: Run): Promise<Map<string, PointBody>> {
  const { context, damage, options } = run;
  const bodies = new Map<string, PointBody>();
  const opened: OpenedPoint[] = [];
  const listing = await listGc(context.store);
  const key = run.keys === null ? null : { vaultId: context.config.vaultId, idKey: run.keys.keys.idKey };
  const rule = key === null ? null : await readVoidRule(context.store, listing, key);
  let found = false;
  for (const [name, size] of run.sizes) {
    if (!name.startsWith('points/')) continue;
    const id = pointIdOfName(name);
    if (options.pointId !== undefined && options.pointId !== id) continue;
    found = true;
    options.signal?.throwIfAborted();
    try {
      const manifest = decodeManifest(await context.store.get(name), name, {
        vaultId: context.config.vaultId,
        keys: context.keys,
      });
      if (run.keys !== null) {
        const point = { name, header: manifest.header, body: manifest.openBody() };
        opened.push(point);
        if (!isVoid(rule, point.header.id, point.body.gcSeen)) bodies.set(point.header.id, point.body);
      }
    } catch (cause) {
      noteDamage(damage, name, cause);
      if (id !== null) damage.hitPoint(name, id);
    }
    countObject(run, size);
  }
  // A run that is not told of all points cannot tell that one is gone; nor can one that found damaged ones.
  if (options.pointId === undefined && run.keys !== null) {
    const damagedIds = new Set([...run.sizes.keys()].map((name) => pointIdOfName(name)));
    for (const id of lostPoints(opened, rule, listing)) {
      if (damagedIds.has(id)) continue;
      damage.add(`point ${id}`, 'its manifest is gone, and nobody removed it');
      damage.hitPoint(`point ${id}`, id);
    }
  }
  if (options.pointId !== undefined && !found) {
    throw new VaultError('POINT_NOT_FOUND', `the vault has no restore point ${options.pointId}`);
  }
  return bodies;
}

async function verifyContent(run: Run, bodies: ReadonlyMap<string, PointBody>): Promise<void> {
  const { context, options, damage, bad, index } = run;
  const { table } = index;
  const reader = run.keys === null ? null : new StoredChunkReader(context.store, run.keys, () => table);
  const walk = async (into: { damage: DamageList; onPack?: (ordinal: number) => void }) => {
    if (reader === null) return;
    const check = { reader, table, bad, soundLeaves: new Set<string>(), signal: options.signal, ...into };
    for (const [pointId, body] of bodies) {
      for (const [disk, info] of body.disks.entries()) await verifyMap(check, { pointId, disk, info });
    }
  };
  try {
    let only: Set<number> | null = null;
    if (options.pointId !== undefined && reader !== null) {
      const needed = new Set<number>();
      await walk({ damage: new DamageList(), onPack: (ordinal) => needed.add(ordinal) });
      only = needed;
    }
    const packSizes = new Map([...run.sizes].filter(([name]) => name.startsWith('packs/')));
    await verifyPacks({
      ...{ store: context.store, table, keys: run.keys, level: options.level, damage, bad, only },
      sizes: packSizes,
      onObject: (sizeBytes) => countObject(run, sizeBytes),
      signal: options.signal,
    });
    await walk({ damage });
  } finally {
    reader?.close();
  }
}
