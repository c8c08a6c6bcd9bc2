/** One run that makes one point. Durability order: data packs, metadata packs, index segment, manifest. */
import { randomBytes } from 'node:crypto';
import { VaultError } from '../errors.ts';
import type { WriterFence } from '../gc/writerFence.ts';
import type { ChunkType } from '../index/entry.ts';
import { type KnownChunks, knownChunks } from '../index/knownChunks.ts';
import { encodeSegments } from '../index/segment.ts';
import { writeMap } from '../map/writeMap.ts';
import { PackingWriter } from '../pack/chunkWriter.ts';
import { isFreePointId } from '../portable/freePointId.ts';
import type {
  BeginPoint,
  ChunkWriterSeed,
  MapEntry,
  PointHeader,
  PointWriter,
  SavedDiskInfo,
  SealedPack,
  Store,
  VaultKeys,
} from '../types.ts';
import { type Lease, startLease } from './lease.ts';
import { encodeManifest } from './manifest.ts';
import { removePoint } from './removePoint.ts';

export interface PointContext {
  readonly store: Store;
  readonly keys: VaultKeys;
  readonly seed: ChunkWriterSeed;
  readonly fence: WriterFence;
  readonly previousId: string | null;
  /** Tidies up behind a point that is safe; never fails. */
  readonly onCommitted: () => Promise<void>;
}

const metaPackBytes = 4 << 20;

/** A run's beginning: its session stands before it looks at anything else in the vault [F26]. */
export interface StartedRun {
  readonly pointId: string;
  readonly createdAt: string;
  readonly lease: Lease;
}

export async function startRun(store: Store, vaultId: string, begin: BeginPoint): Promise<StartedRun> {
  const asked = begin.id !== undefined && (await isFreePointId(store, begin.id)) ? begin.id : null;
  const pointId = asked ?? randomBytes(16).toString('hex');
  const createdAt = begin.now().toISOString();
  return { pointId, createdAt, lease: await startLease(store, { id: pointId, vaultId, startedAt: createdAt }) };
}

export function startPoint(context: PointContext, begin: BeginPoint, run: StartedRun): PointWriter {
  return new StoringPointWriter(context, begin, run);
}

class StoringPointWriter implements PointWriter {
  readonly pointId: string;
  readonly seed: ChunkWriterSeed;
  private readonly context: PointContext;
  private readonly begin: BeginPoint;
  private readonly createdAt: string;
  private readonly lease: Lease;
  private readonly meta: PackingWriter;
  private readonly known: KnownChunks;
  private storedBytes = 0;
  private state: 'open' | 'committed' | 'abandoned' = 'open';

  constructor(context: PointContext, begin: BeginPoint, run: StartedRun) {
    this.context = context;
    this.begin = begin;
    this.pointId = run.pointId;
    this.createdAt = run.createdAt;
    this.lease = run.lease;
    this.seed = context.seed;
    this.known = knownChunks(this.seed.knownChunks, this.seed.knownSlots);
    const metaSeed = { ...context.seed, packTargetBytes: metaPackBytes, compressionLevel: 3 };
    this.meta = new PackingWriter(metaSeed, { store: context.store, kind: 'meta' });
  }

  knows(chunkId: Uint8Array): boolean {
    return this.known.has(Buffer.from(chunkId.buffer, chunkId.byteOffset, chunkId.length));
  }

  private mustBeOpen(): void {
    if (this.state !== 'open') throw new VaultError('VAULT_STORE_FAILED', `this run was already ${this.state}`);
  }

  async writeMap(entries: Iterable<MapEntry> | AsyncIterable<MapEntry>, deviceSizeBytes: number): Promise<{ mapRootId: string }> {
    this.mustBeOpen();
    const storeNode = async (bytes: Buffer, type: ChunkType): Promise<Buffer> => {
      const id = Buffer.alloc(32);
      this.meta.addTyped(bytes, id, type);
      if (this.meta.drainNeeded) await this.meta.drain();
      return id;
    };
    const root = await writeMap(this.checked(entries), deviceSizeBytes, storeNode);
    return { mapRootId: root.toString('hex') };
  }

  /** No point may ever name a chunk that neither the vault nor this run has: a mistake of the caller ends here. */
  private async *checked(entries: Iterable<MapEntry> | AsyncIterable<MapEntry>): AsyncIterable<MapEntry> {
    for await (const entry of entries) {
      if (entry.kind === 'data' && !this.known.has(entry.chunkId)) {
        throw new RangeError(`the map names chunk ${entry.chunkId.toString('hex')}, which was never stored`);
      }
      yield entry;
    }
  }

  async checkpoint(packs: readonly SealedPack[]): Promise<void> {
    this.mustBeOpen();
    await this.storeIndex(packs);
  }

  private async storeIndex(packs: readonly SealedPack[]): Promise<void> {
    if (packs.length === 0) return;
    const key = { vaultId: this.seed.vaultId, idKey: this.context.keys.idKey };
    for (const { name, bytes } of encodeSegments(packs, key)) {
      await this.context.store.put(name, bytes);
      this.storedBytes += bytes.length;
    }
    for (const pack of packs) this.storedBytes += pack.sizeBytes;
  }

  async commit(input: {
    packs: readonly SealedPack[];
    disks: readonly SavedDiskInfo[];
    warnings: readonly string[];
    totals: { sizeBytes: number; usedBytes: number; newBytes: number };
  }): Promise<PointHeader> {
    this.mustBeOpen();
    // Until it succeeded: a commit that failed half-way cannot be tried again, only the run can.
    this.state = 'abandoned';
    await this.storeIndex([...input.packs, ...(await this.meta.finish())]);
    const { begin } = this;
    const header: PointHeader = {
      id: this.pointId,
      kind: begin.kind,
      method: begin.method,
      machineId: begin.machineId,
      machineName: begin.machineName,
      source: begin.source,
      createdAt: this.createdAt,
      parentId: begin.parentId,
      sizeBytes: input.totals.sizeBytes,
      usedBytes: input.totals.usedBytes,
      newBytes: input.totals.newBytes,
      storedBytes: this.storedBytes,
    };
    const { fence, previousId } = this.context;
    const body = { disks: input.disks, warnings: input.warnings, gcSeen: fence.gcSeen, previousId };
    await this.storeManifest(encodeManifest(header, body, { vaultId: this.seed.vaultId, keys: this.context.keys }));
    this.state = 'committed';
    await this.context.onCommitted();
    await this.lease.end();
    return header;
  }

  /** [F26] Looks for a fence on both sides of the manifest: the sweeper sees the one or this run sees the other. */
  private async storeManifest({ name, bytes }: { name: string; bytes: Buffer }): Promise<void> {
    const { store, fence, keys } = this.context;
    await fence.check();
    await store.put(name, bytes);
    try {
      await fence.check();
    } catch (cause) {
      // Where this run may not remove, the sweeper will [F27].
      if (cause instanceof VaultError && cause.code === 'VAULT_SWEPT') {
        await removePoint(store, name, { vaultId: this.seed.vaultId, idKey: keys.idKey }).catch(() => {});
      }
      throw cause;
    }
  }

  async abandon(): Promise<void> {
    if (this.state === 'open') this.state = 'abandoned';
    await this.meta.close();
    await this.lease.end();
  }
}
