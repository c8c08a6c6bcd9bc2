/** One thread's writer: ids, dedup against the shared table, and two packs in turn, one filling while the other is stored. */
import { VaultError } from '../errors.ts';
import type { ChunkType } from '../index/entry.ts';
import { knownChunks } from '../index/knownChunks.ts';
import { packObjectName } from '../index/locationTable.ts';
import { native } from '../native.ts';
import { openStore } from '../stores/openStore.ts';
import type { ChunkWriter, ChunkWriterSeed, SealedPack, Store } from '../types.ts';
import { type ChunkHasher, chunkHasher } from './chunkHasher.ts';
import type { PackKind } from './layout.ts';
import { PackBuilder, type PackTools } from './packBuilder.ts';

const buildersPerWriter = 2;

/** Turns a seed into a writer for data chunks; made for worker threads, each of which opens its own connection to the store. */
export async function openChunkWriter(seed: ChunkWriterSeed): Promise<ChunkWriter> {
  const store = await openStore(seed.store);
  return new PackingWriter(seed, { store, kind: 'data', ownsStore: true });
}

export class PackingWriter implements ChunkWriter {
  private readonly store: Store;
  private readonly kind: PackKind;
  private readonly ownsStore: boolean;
  private readonly hash: ChunkHasher;
  private readonly known: ReturnType<typeof knownChunks>;
  private readonly tools: PackTools;
  private readonly free: PackBuilder[];
  private current: PackBuilder | null;
  private readonly storing = new Set<Promise<void>>();
  private sealed: SealedPack[] = [];
  private failure: unknown = null;
  private closed = false;

  constructor(seed: ChunkWriterSeed, options: { store: Store; kind: PackKind; ownsStore?: boolean }) {
    this.store = options.store;
    this.kind = options.kind;
    this.ownsStore = options.ownsStore ?? false;
    this.hash = chunkHasher({ ...seed, idKey: seed.keys.idKey }, options.kind);
    this.known = knownChunks(seed.knownChunks, seed.knownSlots);
    const level = seed.compressionLevel;
    this.tools = { compressor: level === null ? null : native().openCompressor(level), gcm: native().openGcm() };
    const settings = {
      kind: this.kind,
      vaultId: seed.vaultId,
      publicKey: seed.keys.publicKey,
      targetBytes: seed.packTargetBytes,
    };
    this.free = Array.from({ length: buildersPerWriter }, () => new PackBuilder(settings, this.tools));
    this.current = null;
  }

  add(plain: Uint8Array, idOut: Uint8Array): number {
    return this.addTyped(plain, idOut, 'data');
  }

  addTyped(plain: Uint8Array, idOut: Uint8Array, type: ChunkType): number {
    if (this.failure !== null) throw this.failure;
    if (this.closed) throw new VaultError('VAULT_STORE_FAILED', 'this chunk writer was closed');
    this.hash(plain, idOut);
    const id = Buffer.from(idOut.buffer, idOut.byteOffset, idOut.length);
    if (!this.known.claim(id)) return 0;
    const pack = this.openPack();
    if (!pack.fits(plain.length)) {
      throw new RangeError(`a chunk of ${plain.length} bytes is too large for a pack`);
    }
    const stored = pack.append(plain, id, type);
    if (pack.isFull) this.startStoring();
    return stored;
  }

  private openPack(): PackBuilder {
    if (this.current === null) {
      const next = this.free.pop();
      if (next === undefined) throw new Error('both packs are being stored: await drain() while drainNeeded is true');
      next.begin();
      this.current = next;
    }
    return this.current;
  }

  private startStoring(): void {
    const pack = this.current;
    if (pack === null) return;
    this.current = null;
    const { name, bytes, entries } = pack.finish();
    const task: Promise<void> = this.store
      .put(packObjectName(name), bytes)
      .then(() => {
        this.sealed.push({ name, sizeBytes: bytes.length, kind: this.kind, entries });
        this.free.push(pack);
      })
      .catch((cause: unknown) => {
        this.failure ??= cause ?? new VaultError('VAULT_STORE_FAILED', 'a pack could not be stored');
      })
      .finally(() => this.storing.delete(task));
    this.storing.add(task);
  }

  get drainNeeded(): boolean {
    return this.storing.size > 0 || this.failure !== null;
  }

  async drain(): Promise<void> {
    // Even with a free pack left the event loop gets a turn: writes under way advance only there.
    if (this.storing.size > 0) await new Promise((resolve) => setImmediate(resolve));
    while (this.current === null && this.free.length === 0 && this.failure === null) await Promise.race(this.storing);
    if (this.failure !== null) throw this.failure;
  }

  takeSealed(): SealedPack[] {
    const taken = this.sealed;
    this.sealed = [];
    return taken;
  }

  async finish(): Promise<SealedPack[]> {
    if (this.failure === null && this.current !== null && !this.current.isEmpty) this.startStoring();
    await Promise.all(this.storing);
    if (this.failure !== null) {
      await this.close();
      throw this.failure;
    }
    await this.close();
    return this.takeSealed();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    // First: requests that are still being repeated give up.
    if (this.ownsStore) await this.store.close();
    await Promise.all(this.storing);
    for (const pack of this.free) pack.release();
    this.current?.release();
    this.tools.compressor?.close();
    this.tools.gcm.close();
  }
}
