/**
 * One pack in the making, in page-aligned memory that is used again for the next one. zstd writes straight into it and
 * AES-GCM encrypts in place, so a chunk's bytes are touched once by each and copied by none.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type ChunkType, entryBytes, packLength } from '../index/entry.ts';
import { seal } from '../keys/seal.ts';
import { type Compressor, compressBound, type Gcm } from '../native.ts';
import {
  type PackKind,
  packHeaderBytes,
  packKeyAad,
  recordHeaderBytes,
  recordOverheadBytes,
  recordTagBytes,
  tailBytes,
  writePackHeader,
  writeRecordHeader,
  writeTail,
} from './layout.ts';

declare const WebAssembly: { Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } };

/** Chunks up to this size always fit behind a pack that has not reached its target. */
const usualChunkBytes = 4 << 20;
/** Small memories of builders that are done: a program that makes many points needs no new ones, and the collector frees them late. */
const spare: Buffer[] = [];
const keptSpare = 4;
const spareBytes = 12 << 20;
const probeBytes = 16 << 10;
const worthwhile = 0.97;

export interface PackSettings {
  readonly kind: PackKind;
  readonly vaultId: string;
  readonly publicKey: Uint8Array | null;
  readonly targetBytes: number;
}

/** Engines of one thread, shared by its packs. */
export interface PackTools {
  readonly compressor: Compressor | null;
  readonly gcm: Gcm;
}

/** The finished bytes of a pack; they lie in the builder's memory until `begin` is called again. */
export interface BuiltPack {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly entries: Uint8Array;
}

export class PackBuilder {
  private readonly settings: PackSettings;
  private readonly tools: PackTools;
  /** Empty until the first pack is begun: many a writer needs only one of its builders. */
  private memory: Buffer = Buffer.alloc(0);
  private entries = Buffer.alloc(256 * entryBytes);
  private readonly nonce = Buffer.alloc(12);
  private used = 0;
  private count = 0;
  private hash: Hash = createHash('sha256');
  private lastWasRaw = false;

  constructor(settings: PackSettings, tools: PackTools) {
    this.settings = settings;
    this.tools = tools;
  }

  private allocate(): void {
    const capacity = this.settings.targetBytes + compressBound(usualChunkBytes) + (1 << 20);
    const pages = Math.ceil(capacity / 65536);
    const place = spare.findIndex((one) => one.length === pages * 65536);
    // O_DIRECT wants page-aligned memory: that of WebAssembly is, that of Buffer is not.
    this.memory = spare.splice(place, place < 0 ? 0 : 1)[0] ?? Buffer.from(new WebAssembly.Memory({ initial: pages }).buffer);
  }

  /** Gives the memory back; the builder must not be used again, nor the bytes of its last pack. */
  release(): void {
    if (this.memory.length > 0 && this.memory.length <= spareBytes && spare.length < keptSpare) spare.push(this.memory);
    this.memory = Buffer.alloc(0);
  }

  get isEmpty(): boolean {
    return this.count === 0;
  }
  get isFull(): boolean {
    return this.used >= this.settings.targetBytes || !this.fits(usualChunkBytes);
  }
  fits(plainBytes: number): boolean {
    const record = recordOverheadBytes + compressBound(plainBytes);
    return this.used + record + (this.count + 1) * entryBytes + tailBytes <= this.memory.length;
  }

  /** Starts an empty pack under a fresh key. */
  begin(): void {
    if (this.memory.length === 0) this.allocate();
    const { kind, vaultId, publicKey } = this.settings;
    const key = randomBytes(32);
    const sealed = publicKey === null ? null : seal(publicKey, key, { purpose: 'pack key', aad: packKeyAad(vaultId, kind) });
    writePackHeader(this.memory, {
      kind,
      vaultId,
      // Without encryption too no two packs have one name: a name the sweeper removed never comes back.
      ephemeralKey: sealed?.ephemeralKey ?? randomBytes(32),
      sealedKey: sealed?.box ?? null,
    });
    if (sealed !== null) this.tools.gcm.setKey(key);
    this.hash = createHash('sha256');
    this.hash.update(this.memory.subarray(0, packHeaderBytes));
    this.used = packHeaderBytes;
    this.count = 0;
  }

  /** Appends one chunk; returns the length of its record. Call only when `fits`. */
  append(plain: Uint8Array, id: Buffer, type: ChunkType): number {
    const at = this.used;
    const body = at + recordHeaderBytes;
    const packed = this.compress(plain, body);
    const payloadBytes = packed ?? plain.length;
    const coding = packed === null ? 'raw' : 'zstd';
    writeRecordHeader(this.memory, at, { type, coding, plainBytes: plain.length, payloadBytes, sequence: this.count, id });
    const payload = this.memory.subarray(body, body + payloadBytes);
    const tag = this.memory.subarray(body + payloadBytes, body + payloadBytes + recordTagBytes);
    if (this.settings.publicKey === null) {
      if (packed === null) payload.set(plain);
      tag.fill(0);
    } else {
      this.nonce.writeUInt32LE(this.count, 8);
      const aad = this.memory.subarray(at, body);
      this.tools.gcm.seal({ nonce: this.nonce, aad, input: packed === null ? plain : payload, output: payload, tag });
    }
    const recordBytes = recordOverheadBytes + payloadBytes;
    this.hash.update(this.memory.subarray(at, at + recordBytes));
    this.note(id, { at, recordBytes, plainBytes: plain.length, type });
    this.used += recordBytes;
    return recordBytes;
  }

  /** The length of the frame written at `body`, or null when storing the bytes as they are is as good. */
  private compress(plain: Uint8Array, body: number): number | null {
    const { compressor } = this.tools;
    if (compressor === null) return null;
    const target = this.memory.subarray(body, body + compressBound(plain.length));
    // Neighbours are alike: after a chunk that would not shrink, a sample decides whether to try the whole of the next.
    if (this.lastWasRaw && plain.length >= 4 * probeBytes) {
      const from = (plain.length - probeBytes) >>> 1;
      if (compressor.compress(plain.subarray(from, from + probeBytes), target) > probeBytes * worthwhile) return null;
    }
    const length = compressor.compress(plain, target);
    this.lastWasRaw = length > plain.length * worthwhile;
    return this.lastWasRaw ? null : length;
  }

  private note(id: Buffer, record: { at: number; recordBytes: number; plainBytes: number; type: ChunkType }): void {
    const at = this.count * entryBytes;
    if (at + entryBytes > this.entries.length) {
      const grown = Buffer.alloc(this.entries.length * 2);
      this.entries.copy(grown);
      this.entries = grown;
    }
    this.entries.set(id, at);
    this.entries.writeUInt32LE(0, at + 32);
    this.entries.writeUInt32LE(record.at, at + 36);
    this.entries.writeUInt32LE(record.recordBytes, at + 40);
    this.entries.writeUInt32LE(packLength(record.plainBytes, record.type), at + 44);
    this.count += 1;
  }

  /** Adds trailer and tail; the pack's name is the hash of all its bytes. */
  finish(): BuiltPack {
    const tableBytes = this.count * entryBytes;
    const table = this.entries.subarray(0, tableBytes);
    this.memory.set(table, this.used);
    const size = writeTail(this.memory, this.used + tableBytes, tableBytes);
    this.hash.update(this.memory.subarray(this.used, size));
    const bytes = this.memory.subarray(0, size);
    return { name: this.hash.digest('hex'), bytes, entries: Uint8Array.from(table) };
  }
}
