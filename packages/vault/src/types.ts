/**
 * The shapes the rest of the project builds on. FORMAT.md says how they look in bytes; nothing here depends on a store.
 * Three capabilities: *write* (make points, cannot read them back), *read* (open content), *admin* (remove; never on a PC).
 */
import type { BlockDevice } from '@diskfleet/disk';
import type { GcReport } from './gc/collectGarbage.ts';
import type { GcOptions } from './gc/gcRun.ts';
import type { StoreConfig } from './stores/store.ts';

export type { Store, StoreConfig, StoredObject } from './stores/store.ts';

// ---- keys ---------------------------------------------------------------------------------------------------------

/** Key material in memory. An unencrypted vault has an id key only. All values are 32 bytes. */
export interface VaultKeys {
  readonly idKey: Uint8Array;
  /** X25519 public key packs are sealed to; null in an unencrypted vault. */
  readonly publicKey: Uint8Array | null;
  /** Present only with the read capability. */
  readonly privateKey: Uint8Array | null;
}

/** How to get at the keys of a vault; also how `createVault` is told to protect a new one. */
export type Unlock =
  | { readonly kind: 'none' }
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'keys'; readonly keys: VaultKeys };

// ---- points -------------------------------------------------------------------------------------------------------

export type PointKind = 'system' | 'disk' | 'partition' | 'file';
export type BackupMethod = 'full' | 'incremental' | 'differential';

/** The part of a manifest anyone who can list the vault may read. */
export interface PointHeader {
  readonly id: string;
  readonly kind: PointKind;
  readonly method: BackupMethod;
  readonly machineId: string;
  readonly machineName: string;
  /** Stable name of what was backed up, e.g. the disk's serial or a file's base name. */
  readonly source: string;
  /** ISO 8601, UTC. The writer's clock: shown to people, never used by rules. */
  readonly createdAt: string;
  readonly parentId: string | null;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
}

/** A filesystem, or what else a volume may hold. */
export interface SavedFilesystem {
  readonly kind: string;
  readonly label: string;
  readonly uuid: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** Null: nobody looked. */
  readonly clean: boolean | null;
  readonly details?: string | undefined;
  /** The logical volumes of an LVM physical volume. */
  readonly volumes?: readonly SavedVolume[] | undefined;
}

export interface SavedVolume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly type: string;
  readonly filesystem: SavedFilesystem | null;
}

/** One partition as it was when backed up, for listing and planning without opening the image. */
export interface SavedPartition {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly type: string;
  readonly typeName: string;
  readonly id: string | null;
  readonly name: string;
  readonly filesystem: SavedFilesystem | null;
  /** Set when its content is not in the point; the other fields say what it held then. Absent: it is. */
  readonly content?: 'leftOut' | undefined;
}

/** One disk inside a point. `usedExtents` are recoverable from the map; only counts are repeated here. */
export interface SavedDiskInfo {
  readonly name: string;
  readonly model: string;
  readonly serial: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly usedBytes: number;
  readonly table: 'gpt' | 'mbr' | null;
  readonly tableId: string | null;
  readonly partitions: readonly SavedPartition[];
  /** Content id (hex) of the root of this disk's map. */
  readonly mapRootId: string;
}

/** The sealed part of a manifest. */
export interface PointBody {
  readonly disks: readonly SavedDiskInfo[];
  readonly warnings: readonly string[];
  /** [F26] Number of the newest mark the writer knew of; absent in points of early writers. */
  readonly gcSeen?: number;
  /** The newest point of the same machine and source when the run began; null for the first; absent in points of early writers. */
  readonly previousId?: string | null;
}

// ---- reading ------------------------------------------------------------------------------------------------------

/** One range of a saved disk. Ranges not listed were free when the point was made: their content is "do not care" and reads as zero. */
export type MapEntry =
  | {
      readonly kind: 'data';
      readonly offsetBytes: number;
      readonly lengthBytes: number;
      readonly chunkId: Buffer;
      readonly chunkOffsetBytes: number;
    }
  | { readonly kind: 'zero'; readonly offsetBytes: number; readonly lengthBytes: number };

/** Where a chunk lies in the vault. */
export interface ChunkLocation {
  readonly pack: string;
  readonly offsetBytes: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
}

/** A saved disk: random access through its map. Read-only; free ranges read as zero. */
export interface SavedDisk extends BlockDevice {
  readonly info: SavedDiskInfo;
  /** Entries in device order, streamed leaf by leaf: constant memory for any disk size. */
  mapEntries(): AsyncIterable<MapEntry>;
}

/** Called once for each distinct chunk, in storage order. `plain` is reused: copy what must outlive the call. */
export type OnChunk = (chunkId: Uint8Array, plain: Uint8Array) => void | Promise<void>;

/** Plain data (SharedArrayBuffers included, and the private key: keep it in memory) that `openChunkReader(seed)` turns into a reader. */
export interface ChunkReaderSeed {
  readonly store: StoreConfig;
  readonly keys: VaultKeys;
  readonly vaultId: string;
  readonly idAlgorithm: IdAlgorithm;
  readonly locations: LocationTableSeed;
}

/** Where chunks lie, without an object per chunk: open addressing over shared memory. Holds what was looked up before the seed was made. */
export interface LocationTableSeed {
  readonly slots: SharedArrayBuffer;
  readonly slotCount: number;
  /** Entry i: 32 bytes of pack name (SHA-256), 8 bytes of size, 8 bytes of kind and padding. */
  readonly packs: SharedArrayBuffer;
  readonly packCount: number;
}

/** Reads chunks in one thread. */
export interface ChunkReader {
  locate(chunkId: Uint8Array): ChunkLocation | null;
  /** As `Vault.readChunk`, without keeping anything. */
  readChunk(chunkId: Uint8Array): Promise<Buffer>;
  /**
   * Reads each stored range once, in few large reads, the next one under way while this one is decoded.
   * To spread a restore over workers, group ids by `locate(id).pack` and give every worker whole packs.
   * @throws VaultError `CHUNK_DAMAGED`, `CHUNK_MISSING` at the first chunk that cannot be read.
   */
  readChunks(chunkIds: Iterable<Uint8Array>, onChunk: OnChunk): Promise<void>;
  close(): Promise<void>;
}

export interface SavedPoint {
  readonly header: PointHeader;
  readonly body: PointBody;
  /** @throws VaultError `VAULT_KEY_NEEDED` without the read capability. */
  openDisk(index: number): Promise<SavedDisk>;
}

/** How chunk ids are computed; fixed when the vault is made. */
export type IdAlgorithm = 'blake3' | 'hmac-sha256';

export interface VaultInfo {
  readonly id: string;
  readonly encrypted: boolean;
  readonly formatVersion: number;
  readonly points: number;
  readonly packs: number;
  readonly chunks: number;
  readonly storedBytes: number;
}

export interface DamagedObject {
  /** Object name, or `chunk <hex>` when a chunk inside a sound pack is wrong. */
  readonly object: string;
  readonly problem: string;
  /** Ids of the points that need it. */
  readonly points: readonly string[];
  /** `disk <n> bytes <from>-<to>` of those points. */
  readonly paths: readonly string[];
}

export interface VerifyReport {
  readonly checkedBytes: number;
  readonly checkedObjects: number;
  readonly damaged: readonly DamagedObject[];
}

export interface RebuildReport {
  /** Packs that no sound segment listed and that are listed now. */
  readonly listedPacks: number;
  readonly listedChunks: number;
  /** Packs whose own table was damaged too: found chunk by chunk, and put in quarantine. */
  readonly scannedPacks: readonly string[];
  /** Packs in which nothing could be found. */
  readonly lostPacks: readonly string[];
  /** Damaged segments that were removed or written anew. */
  readonly removedSegments: readonly string[];
}

export interface RepairReport {
  readonly rebuilt: RebuildReport;
  /** Packs put in quarantine by this run: the next backups store their chunks anew. */
  readonly quarantined: readonly string[];
}

export interface Vault {
  readonly id: string;
  readonly encrypted: boolean;
  readonly canRead: boolean;
  /** False when it was opened without keys, or has write features this program does not know. */
  readonly canWrite: boolean;
  info(): Promise<VaultInfo>;
  /** Oldest first. A damaged manifest is reported by `verify`, skipped (and counted in `unreadable`) here. A writer through a vault service may list its own machine's points only: `only` asks for no more. */
  listPoints(only?: { readonly machineId: string }): Promise<{ points: readonly PointHeader[]; unreadable: readonly string[] }>;
  /** When the store received each point's manifest, in ms by its own clock: what rules go by. Empty where it does not tell. */
  pointTimes(): Promise<ReadonlyMap<string, number>>;
  /** The time it is for the store, in ms by its own clock, found out by storing a lease; null where it does not tell. */
  storeTimeMs(): Promise<number | null>;
  /** Points that were removed and that a vault service keeps for now, and until when, in ms by its clock. They can be used as before. */
  goingPoints(): Promise<ReadonlyMap<string, number>>;
  /** @throws VaultError `POINT_NOT_FOUND`, `POINT_DAMAGED`, `VAULT_KEY_NEEDED`. */
  openPoint(id: string): Promise<SavedPoint>;
  /** Where a chunk lies. Knows the chunks met lately: by `lookUp`, and all that `mapEntries`, `read` or `readChunks` came across; null for others. */
  locate(chunkId: Uint8Array): ChunkLocation | null;
  /** Finds out where these chunks lie (at most 65,536 a call), so that `locate` and seeds made from now on know. What the vault has not is left out. */
  lookUp(chunkIds: readonly Uint8Array[]): Promise<void>;
  /** Decrypted, decompressed, id re-checked; recently read chunks are kept (64 MiB). @throws VaultError `CHUNK_DAMAGED`, `CHUNK_MISSING`. */
  readChunk(chunkId: Uint8Array): Promise<Buffer>;
  /** The bulk path, see `ChunkReader.readChunks`. */
  readChunks(chunkIds: Iterable<Uint8Array>, onChunk: OnChunk): Promise<void>;
  /** What `openChunkReader` needs to read chunks in a worker thread. @throws VaultError `VAULT_KEY_NEEDED` without the read capability. */
  readerSeed(): ChunkReaderSeed;
  /** `structure`: every reference resolves. `data`: every stored byte re-hashed too. `content`: every chunk decrypted and its id recomputed (read capability). */
  verify(options: {
    level: 'structure' | 'data' | 'content';
    pointId?: string;
    onProgress?: (doneBytes: number, totalBytes: number) => void;
    signal?: AbortSignal;
  }): Promise<VerifyReport>;
  /** Lists every pack the index has lost, and removes damaged segments. @throws VaultError `VAULT_KEY_NEEDED` without the id key. */
  rebuildIndex(signal?: AbortSignal): Promise<RebuildReport>;
  /** Acts on what `verify` found: rebuilds the index and puts damaged packs in quarantine, so that backups heal them. Removes no data. */
  repair(report: VerifyReport, signal?: AbortSignal): Promise<RepairReport>;
  /** Re-reads the index, e.g. after another writer committed. */
  refresh(): Promise<void>;
  beginPoint(options: BeginPoint): Promise<PointWriter>;
  /** Admin: takes a point away for good; no other point is hurt. The space comes back by `collectGarbage`. @throws VaultError `POINT_NOT_FOUND`, `VAULT_REFUSED`. */
  removePoint(id: string): Promise<void>;
  /** Admin, with the read capability: one run of the sweeper, beside running backups. What it marks, a later run removes. @throws VaultError `VAULT_TOO_OLD`, `VAULT_DAMAGED`, `POINT_DAMAGED`: nothing was removed then. */
  collectGarbage(options?: GcOptions): Promise<GcReport>;
  close(): Promise<void>;
}

// ---- writing ------------------------------------------------------------------------------------------------------

export interface BeginPoint {
  /** Of a point that is copied from another vault; taken unless this vault has or had it. Absent: made up. */
  readonly id?: string;
  readonly machineId: string;
  readonly machineName: string;
  readonly source: string;
  readonly kind: PointKind;
  readonly method: BackupMethod;
  readonly parentId: string | null;
  /** Upper bound of chunks this run may add; sizes the shared index. */
  readonly expectedChunks: number;
  readonly compression: 'fast' | 'balanced' | 'best' | 'none';
  readonly now: () => Date;
}

/** Plain data (SharedArrayBuffers included) a worker thread turns into a `ChunkWriter` by `openChunkWriter(seed)`. */
export interface ChunkWriterSeed {
  readonly store: StoreConfig;
  readonly keys: { readonly idKey: Uint8Array; readonly publicKey: Uint8Array | null };
  readonly vaultId: string;
  readonly idAlgorithm: IdAlgorithm;
  readonly compressionLevel: number | null;
  readonly knownChunks: SharedArrayBuffer;
  readonly knownSlots: number;
  readonly packTargetBytes: number;
}

/**
 * Turns plain chunks into packs: id → dedup → compress → encrypt → append. Made for one thread; allocates nothing per chunk.
 * A pack is complete and durable before the entries that point into it are returned.
 */
export interface ChunkWriter {
  /**
   * Hashes `plain` into `idOut` (32 bytes) and stores it unless the vault or another worker of this run has it.
   * Returns the stored length, or 0 for a duplicate. May leave a full pack behind: then `drainNeeded` is true.
   */
  add(plain: Uint8Array, idOut: Uint8Array): number;
  readonly drainNeeded: boolean;
  /** Starts storing full packs and waits only while too many are under way (bounded memory). */
  drain(): Promise<void>;
  /** Packs that became durable since the last call, e.g. for `PointWriter.checkpoint`. Each pack is handed out once. */
  takeSealed(): SealedPack[];
  /** Seals and stores everything; resolves when all is durable. Returns the packs `takeSealed` has not handed out. */
  finish(): Promise<SealedPack[]>;
  /** Gives up: waits for writes under way and frees native memory. What was not stored is lost. Safe after `finish`. */
  close(): Promise<void>;
}

/** One durable pack and the chunks in it, in the byte form of an index segment (FORMAT.md), ready for `PointWriter.commit`. */
export interface SealedPack {
  readonly name: string;
  readonly sizeBytes: number;
  readonly kind: 'data' | 'meta';
  readonly entries: Uint8Array;
}

/** One run that makes one point. Nothing is visible before `commit` resolves; dropping it leaves unreferenced packs only. */
export interface PointWriter {
  readonly pointId: string;
  readonly seed: ChunkWriterSeed;
  /** Whether this run may name the chunk without storing it: the vault had it when the run began, or the run stored it. */
  knows(chunkId: Uint8Array): boolean;
  /** Takes map entries in device order, any cut; writes leaves and root as metadata chunks. */
  writeMap(entries: Iterable<MapEntry> | AsyncIterable<MapEntry>, deviceSizeBytes: number): Promise<{ mapRootId: string }>;
  /**
   * Writes an index segment for packs stored so far: should this run die, the next one finds their chunks and goes on from there.
   * Give every pack to `checkpoint` or to `commit`, not to both.
   */
  checkpoint(packs: readonly SealedPack[]): Promise<void>;
  /** Durability order: packs (already), index segment, metadata packs, manifest. Resolves when the point survives power loss. */
  commit(input: {
    packs: readonly SealedPack[];
    disks: readonly SavedDiskInfo[];
    warnings: readonly string[];
    totals: { sizeBytes: number; usedBytes: number; newBytes: number };
  }): Promise<PointHeader>;
  /** Stops the lease. Safe to call after commit. */
  abandon(): Promise<void>;
}
