/** [F9] Opens one chunk record: checks header, tag, length and id. Whatever is wrong gives `CHUNK_DAMAGED`, never other bytes. */
import { VaultError } from '../errors.ts';
import { unseal } from '../keys/seal.ts';
import { type Decompressor, type Gcm, native } from '../native.ts';
import type { IdAlgorithm, VaultKeys } from '../types.ts';
import { type ChunkHasher, chunkHasher } from './chunkHasher.ts';
import {
  packHeaderBytes,
  packKeyAad,
  readPackHeader,
  readRecordHeader,
  recordHeaderBytes,
  recordOverheadBytes,
} from './layout.ts';

export interface ReaderKeys {
  readonly keys: VaultKeys;
  readonly vaultId: string;
  readonly idAlgorithm: IdAlgorithm;
}

/** The key of one pack; null in an unencrypted vault. */
export type PackKey = { readonly key: Buffer | null };

/** @throws VaultError `CHUNK_DAMAGED`, `VAULT_KEY_NEEDED`. */
export function openPackKey(header: Uint8Array, name: string, reader: ReaderKeys): PackKey {
  const parsed = readPackHeader(header.subarray(0, packHeaderBytes), name);
  if (parsed.vaultId !== reader.vaultId) throw new VaultError('CHUNK_DAMAGED', `${name} belongs to another vault`);
  if ((parsed.sealedKey === null) !== (reader.keys.publicKey === null)) {
    throw new VaultError('CHUNK_DAMAGED', `${name} is not protected the way this vault is`);
  }
  if (parsed.sealedKey === null || parsed.ephemeralKey === null) return { key: null };
  if (reader.keys.privateKey === null) throw new VaultError('VAULT_KEY_NEEDED', 'reading this vault needs its private key');
  const sealed = { ephemeralKey: parsed.ephemeralKey, box: parsed.sealedKey };
  const key = unseal(reader.keys, sealed, { purpose: 'pack key', aad: packKeyAad(reader.vaultId, parsed.kind) });
  if (key === null) throw new VaultError('CHUNK_DAMAGED', `the key of ${name} does not open: the pack was damaged or changed`);
  return { key };
}

export interface RecordToDecode {
  readonly record: Buffer;
  /** The id asked for: its first 16 bytes at least. */
  readonly id: Uint8Array;
  readonly packKey: PackKey;
  readonly packName: string;
}

export class RecordDecoder {
  private readonly hashers: { data: ChunkHasher; meta: ChunkHasher };
  private readonly decompressor: Decompressor;
  private readonly gcm: Gcm;
  private readonly nonce = Buffer.alloc(12);
  private readonly idCheck = Buffer.alloc(32);
  private current: Buffer | null = null;
  private closed = false;

  constructor(keys: ReaderKeys) {
    const key = { idKey: keys.keys.idKey, vaultId: keys.vaultId, idAlgorithm: keys.idAlgorithm };
    this.hashers = { data: chunkHasher(key, 'data'), meta: chunkHasher(key, 'meta') };
    this.decompressor = native().openDecompressor();
    this.gcm = native().openGcm();
  }

  /**
   * Decodes a record into `target(plainBytes)`. The record's own bytes are decrypted in place.
   * @throws VaultError `CHUNK_DAMAGED`.
   */
  decode(input: RecordToDecode, target: (plainBytes: number) => Uint8Array): Uint8Array {
    const { record, id, packName } = input;
    // The contexts below are native memory: using them after close would crash the process.
    if (this.closed) throw new VaultError('VAULT_STORE_FAILED', 'this vault was closed');
    const fail = (problem: string): never => {
      const name = Buffer.from(id).toString('hex');
      throw new VaultError('CHUNK_DAMAGED', `chunk ${name} in ${packName} is damaged: ${problem}`);
    };
    const header = readRecordHeader(record, 0);
    if (header === null) return fail('its header is wrong');
    if (header.payloadBytes + recordOverheadBytes !== record.length) return fail('its length is wrong');
    if (!header.id.subarray(0, id.length).equals(id)) return fail('another chunk lies in its place');
    const payload = record.subarray(recordHeaderBytes, recordHeaderBytes + header.payloadBytes);
    const tag = record.subarray(recordHeaderBytes + header.payloadBytes);
    if (
      !this.decrypt({
        payload,
        tag,
        aad: record.subarray(0, recordHeaderBytes),
        key: input.packKey.key,
        sequence: header.sequence,
      })
    )
      return fail('its tag does not match');
    const plain = target(header.plainBytes);
    if (header.coding === 'zstd') {
      if (!this.decompressor.decompress(payload, plain)) return fail('it does not decompress');
    } else {
      if (payload.length !== plain.length) return fail('its lengths contradict each other');
      plain.set(payload);
    }
    this.hashers[header.type === 'data' ? 'data' : 'meta'](plain, this.idCheck);
    if (!this.idCheck.equals(header.id)) return fail('its content does not have its id');
    return plain;
  }

  private decrypt(box: { payload: Buffer; tag: Buffer; aad: Buffer; key: Buffer | null; sequence: number }): boolean {
    if (box.key === null) return box.tag.every((byte) => byte === 0);
    if (this.current !== box.key) {
      this.gcm.setKey(box.key);
      this.current = box.key;
    }
    this.nonce.writeUInt32LE(box.sequence, 8);
    return this.gcm.open({ nonce: this.nonce, aad: box.aad, input: box.payload, output: box.payload, tag: box.tag });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.decompressor.close();
    this.gcm.close();
  }
}
