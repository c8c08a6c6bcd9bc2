import { checkKeys, configName, decodeConfig, unknownFeatures, type VaultConfig } from '../config/config.ts';
import { VaultError } from '../errors.ts';
import { collectGarbage, type GcReport } from '../gc/collectGarbage.ts';
import { isVoid, listGc, readVoidRule } from '../gc/gcObjects.ts';
import type { GcOptions } from '../gc/gcRun.ts';
import { openFence } from '../gc/writerFence.ts';
import { type SegmentSource, segmentHeads } from '../index/liveSegments.ts';
import { toLocation } from '../index/locationTable.ts';
import { unwrapKeys } from '../keys/passphrase.ts';
import { openSavedDisk } from '../map/savedDisk.ts';
import { StoredChunkReader } from '../pack/chunkReader.ts';
import { decodeManifest, type Manifest, pointIdOfName, pointsOfMachine, pointsOfSeries } from '../point/manifest.ts';
import { startPoint, startRun } from '../point/pointWriter.ts';
import { removePoint } from '../point/removePoint.ts';
import { storeTimeMs } from '../point/storeTime.ts';
import { openStore } from '../stores/openStore.ts';
import type {
  BeginPoint,
  ChunkLocation,
  ChunkReaderSeed,
  ChunkWriterSeed,
  OnChunk,
  PointBody,
  PointHeader,
  PointWriter,
  RebuildReport,
  RepairReport,
  SavedPoint,
  Store,
  StoreConfig,
  Unlock,
  Vault,
  VaultInfo,
  VaultKeys,
  VerifyReport,
} from '../types.ts';
import { ChunkCache } from './chunkCache.ts';
import type { VaultContext } from './context.ts';
import { knownForRun } from './knownForRun.ts';
import { mergeSegments } from './mergeSegments.ts';
import { PointNames } from './pointNames.ts';
import { rebuildIndex, repairVault } from './rebuildIndex.ts';
import { VaultIndex } from './vaultIndex.ts';
import { type VerifyOptions, verifyVault } from './verify.ts';

/** 10 MiB: two per writer keep a run of three threads below 300 MB; packs of 32 MiB measured no faster. */
const packTargetBytes = 10 << 20;
const manifestsAtOnce = 8;
const lookedUpAtOnce = 1 << 16;
const compressionLevels = { fast: -5, balanced: 1, best: 9, none: null } as const;

/**
 * Opens a vault. `none` opens an unencrypted one fully and an encrypted one for listing only.
 * @throws VaultError `VAULT_NOT_FOUND`, `VAULT_TOO_NEW`, `VAULT_DAMAGED`, `VAULT_WRONG_PASSPHRASE`, and what the store throws.
 */
export async function openVault(config: StoreConfig, unlock: Unlock): Promise<Vault> {
  const store = await openStore(config);
  try {
    return await openVaultIn(store, config, unlock);
  } catch (cause) {
    await store.close();
    throw cause;
  }
}

export async function openVaultIn(store: Store, storeConfig: StoreConfig, unlock: Unlock): Promise<Vault> {
  const bytes = await store.get(configName).catch((cause: unknown) => {
    if (cause instanceof VaultError && cause.code === 'VAULT_OBJECT_MISSING') {
      throw new VaultError('VAULT_NOT_FOUND', `there is no vault in ${store.location}`, { cause });
    }
    throw cause;
  });
  const config = decodeConfig(bytes);
  const keys = await keysOf(store, config, unlock);
  if (keys !== null) checkKeys(config, keys);
  return new StoredVault({ store, storeConfig, config, keys });
}

async function keysOf(store: Store, config: VaultConfig, unlock: Unlock): Promise<VaultKeys | null> {
  if (config.idKey !== null) return { idKey: Buffer.from(config.idKey, 'hex'), publicKey: null, privateKey: null };
  if (unlock.kind === 'none') return null;
  if (unlock.kind === 'keys') return unlock.keys;
  const damaged: VaultError[] = [];
  for await (const { name } of store.list('keys/')) {
    try {
      const keys = await unwrapKeys(await store.get(name), unlock.passphrase, { name, vaultId: config.vaultId });
      if (keys !== null) return keys;
    } catch (cause) {
      if (!(cause instanceof VaultError) || cause.code !== 'VAULT_DAMAGED') throw cause;
      damaged.push(cause);
    }
  }
  if (damaged[0] !== undefined) throw damaged[0];
  throw new VaultError('VAULT_WRONG_PASSPHRASE', 'this passphrase opens no key of the vault');
}

class StoredVault implements Vault {
  readonly id: string;
  readonly encrypted: boolean;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  private readonly context: VaultContext;
  private readonly index: VaultIndex;
  private readonly reader: StoredChunkReader | null;
  private readonly cache = new ChunkCache();
  private readonly names: PointNames;

  constructor(context: VaultContext) {
    this.context = context;
    const { config, keys, store } = context;
    this.index = new VaultIndex({ store, vaultId: config.vaultId, idKey: keys?.idKey ?? null });
    this.id = config.vaultId;
    this.names = new PointNames(store);
    this.encrypted = config.encryption !== 'none';
    this.canRead = keys !== null && (!this.encrypted || keys.privateKey !== null);
    this.canWrite = keys !== null && unknownFeatures(config.features.write).length === 0;
    this.reader =
      keys !== null && this.canRead
        ? new StoredChunkReader(store, { keys, vaultId: this.id, idAlgorithm: config.idAlgorithm }, () => this.index.places)
        : null;
  }

  private mustRead(): StoredChunkReader {
    if (this.reader !== null) return this.reader;
    throw new VaultError('VAULT_KEY_NEEDED', 'reading the content of this vault needs its private key or passphrase');
  }

  async info(): Promise<VaultInfo> {
    let points = 0;
    for await (const { name } of this.context.store.list('points/')) if (pointIdOfName(name) !== null) points += 1;
    let packs = 0;
    let storedBytes = 0;
    for await (const { name, sizeBytes } of this.context.store.list('')) {
      storedBytes += sizeBytes;
      if (name.startsWith('packs/')) packs += 1;
    }
    const heads = await segmentHeads(this.context.store);
    const { formatVersion } = this.context.config;
    return {
      id: this.id,
      encrypted: this.encrypted,
      formatVersion,
      points,
      packs,
      chunks: heads.reduce((sum, head) => sum + (head.supersededCount === 0 ? head.entryCount : 0), 0),
      storedBytes,
    };
  }

  private async pointNames(prefix = 'points/'): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.context.store.list(prefix)) names.push(name);
    return names;
  }

  private async manifest(name: string): Promise<Manifest> {
    return decodeManifest(await this.context.store.get(name), name, { vaultId: this.id, keys: this.context.keys });
  }

  async listPoints(only?: { machineId: string }): Promise<{ points: readonly PointHeader[]; unreadable: readonly string[] }> {
    const names = await this.pointNames(only && pointsOfMachine(only.machineId));
    const points: PointHeader[] = [];
    const unreadable: string[] = [];
    for (let at = 0; at < names.length; at += manifestsAtOnce) {
      const group = names.slice(at, at + manifestsAtOnce);
      const found = await Promise.all(group.map((name) => this.manifest(name).catch((cause) => skipDamaged(cause))));
      for (const [place, manifest] of found.entries()) {
        if (manifest !== null) points.push(manifest.header);
        else unreadable.push(group[place] ?? '');
      }
    }
    points.sort((a, b) => (a.createdAt === b.createdAt ? (a.id < b.id ? -1 : 1) : a.createdAt < b.createdAt ? -1 : 1));
    return { points, unreadable };
  }

  async pointTimes(): Promise<ReadonlyMap<string, number>> {
    const times = new Map<string, number>();
    for await (const { name, storedAtMs } of this.context.store.list('points/')) {
      const id = pointIdOfName(name);
      if (id !== null && storedAtMs !== undefined) times.set(id, storedAtMs);
    }
    return times;
  }

  async storeTimeMs(): Promise<number | null> {
    return storeTimeMs(this.context.store, this.id);
  }

  async goingPoints(): Promise<ReadonlyMap<string, number>> {
    const going = new Map<string, number>();
    for await (const { name, goesAtMs } of this.context.store.list('points/')) {
      const id = pointIdOfName(name);
      if (id !== null && goesAtMs !== undefined) going.set(id, goesAtMs);
    }
    return going;
  }

  private async pointName(id: string): Promise<string> {
    const name = await this.names.find(id);
    if (name === null) throw new VaultError('POINT_NOT_FOUND', `the vault has no restore point ${id}`);
    return name;
  }

  /** [F27] */
  private async refuseVoid(id: string, { gcSeen }: PointBody): Promise<void> {
    const { store } = this.context;
    const rule = await readVoidRule(store, await listGc(store), this.source(this.mustHaveKeys().idKey));
    if (!isVoid(rule, id, gcSeen)) return;
    throw new VaultError(
      'POINT_DAMAGED',
      `restore point ${id} was never finished: the vault was swept while its backup was cut off`,
    );
  }

  async openPoint(id: string): Promise<SavedPoint> {
    const manifest = await this.manifest(await this.pointName(id));
    const body = manifest.openBody();
    await this.refuseVoid(id, body);
    return {
      header: manifest.header,
      body,
      openDisk: async (index) => {
        const info = body.disks[index];
        if (info === undefined) throw new VaultError('POINT_NOT_FOUND', `restore point ${id} has no disk ${index}`);
        this.mustRead();
        return openSavedDisk(
          info,
          (chunkId) => this.readChunk(chunkId),
          (ids) => this.index.lookUp(ids),
        );
      },
    };
  }

  locate(chunkId: Uint8Array): ChunkLocation | null {
    const { places } = this.index;
    const place = places.places(Buffer.from(chunkId))[0];
    return place === undefined ? null : toLocation(places, place);
  }

  async lookUp(chunkIds: readonly Uint8Array[]): Promise<void> {
    await this.index.lookUp(chunkIds);
  }

  async readChunk(chunkId: Uint8Array): Promise<Buffer> {
    const reader = this.mustRead();
    return this.cache.get(chunkId, async () => {
      await this.index.lookUp([chunkId]);
      return this.orElsewhere([chunkId], () => reader.readChunk(chunkId));
    });
  }

  async readChunks(chunkIds: Iterable<Uint8Array>, onChunk: OnChunk): Promise<void> {
    const reader = this.mustRead();
    const ids = [...chunkIds];
    for (let at = 0; at < ids.length; at += lookedUpAtOnce) {
      const group = ids.slice(at, at + lookedUpAtOnce);
      await this.index.lookUp(group);
      const left = new Set(group.map((id) => Buffer.from(id).toString('latin1')));
      const take: OnChunk = (id, plain) => {
        left.delete(Buffer.from(id).toString('latin1'));
        return onChunk(id, plain);
      };
      await this.orElsewhere(group, () =>
        reader.readChunks(
          group.filter((id) => left.has(Buffer.from(id).toString('latin1'))),
          take,
        ),
      );
    }
  }

  /** A sweep may have moved chunks since their places were looked up: what is missing is looked for once more. */
  private async orElsewhere<T>(ids: readonly Uint8Array[], read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (cause) {
      if (!(cause instanceof VaultError) || cause.code !== 'CHUNK_MISSING') throw cause;
      await this.index.startOver();
      await this.index.lookUp(ids);
      return read();
    }
  }

  readerSeed(): ChunkReaderSeed {
    this.mustRead();
    const { storeConfig, config } = this.context;
    const keys = this.mustHaveKeys();
    return { store: storeConfig, keys, vaultId: this.id, idAlgorithm: config.idAlgorithm, locations: this.index.lend() };
  }

  private mustHaveKeys(): VaultKeys {
    const { keys } = this.context;
    if (keys === null) throw new VaultError('VAULT_KEY_NEEDED', 'this vault was opened without keys: it can only be listed');
    return keys;
  }

  async verify(options: VerifyOptions): Promise<VerifyReport> {
    return verifyVault(this.context, options);
  }

  async rebuildIndex(signal?: AbortSignal): Promise<RebuildReport> {
    const { idKey } = this.mustHaveKeys();
    const report = await rebuildIndex(this.source(idKey), signal);
    await this.index.startOver();
    return report;
  }

  async repair(report: VerifyReport, signal?: AbortSignal): Promise<RepairReport> {
    const { idKey } = this.mustHaveKeys();
    const repaired = await repairVault(this.source(idKey), report, signal);
    await this.index.startOver();
    return repaired;
  }

  async refresh(): Promise<void> {
    await this.index.refresh();
  }

  private source(idKey: Uint8Array): SegmentSource & { readonly idKey: Uint8Array } {
    return { store: this.context.store, vaultId: this.id, idKey };
  }

  async beginPoint(options: BeginPoint): Promise<PointWriter> {
    const keys = this.mustHaveKeys();
    const { config, store, storeConfig } = this.context;
    const unknown = unknownFeatures(config.features.write);
    if (unknown.length > 0) {
      throw new VaultError(
        'VAULT_TOO_NEW',
        `writing to this vault needs ${unknown.join(', ')}, which this program does not know`,
      );
    }
    const source = this.source(keys.idKey);
    const run = await startRun(store, this.id, options);
    try {
      const fence = await openFence(store, source);
      const previousId = await newestPoint(store, options);
      const mapNodes = Math.ceil(options.expectedChunks / 16) + 1024;
      const known = await knownForRun(source, options.expectedChunks + mapNodes, fence.avoid);
      const seed: ChunkWriterSeed = {
        store: storeConfig,
        keys: { idKey: keys.idKey, publicKey: keys.publicKey },
        vaultId: this.id,
        idAlgorithm: config.idAlgorithm,
        compressionLevel: compressionLevels[options.compression],
        ...known,
        packTargetBytes,
      };
      // A merge that fails costs nothing: the next run tries again.
      const onCommitted = () => mergeSegments(source).then(ignore, ignore);
      return startPoint({ store, keys, seed, fence, previousId, onCommitted }, options, run);
    } catch (cause) {
      await run.lease.end();
      throw cause;
    }
  }

  async removePoint(id: string): Promise<void> {
    const { idKey } = this.mustHaveKeys();
    const name = await this.pointName(id);
    await removePoint(this.context.store, name, { vaultId: this.id, idKey });
  }

  async collectGarbage(options: GcOptions = {}): Promise<GcReport> {
    this.mustRead();
    const { store, config } = this.context;
    const keys = this.mustHaveKeys();
    const readChunks = (ids: readonly Uint8Array[], onChunk: OnChunk) => this.readChunks(ids, onChunk);
    return collectGarbage({ store, config, keys, key: this.source(keys.idKey), readChunks, options });
  }

  async close(): Promise<void> {
    this.reader?.close();
    await this.context.store.close();
  }
}

/** The newest point of the series by the order of names [F1], or null. */
async function newestPoint(store: Store, { machineId, source }: BeginPoint): Promise<string | null> {
  let newest: string | null = null;
  for await (const { name } of store.list(pointsOfSeries(machineId, source))) newest = pointIdOfName(name) ?? newest;
  return newest;
}

function ignore(): void {}

function skipDamaged(cause: unknown): null {
  const tolerable =
    cause instanceof VaultError && ['POINT_DAMAGED', 'VAULT_TOO_NEW', 'VAULT_OBJECT_MISSING'].includes(cause.code);
  if (tolerable) return null;
  throw cause;
}
