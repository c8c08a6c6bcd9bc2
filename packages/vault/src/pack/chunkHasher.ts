/** [F7] Chunk ids: a keyed hash of the plain bytes, so equal content has one id inside a vault and means nothing outside it. */
import { createRequire } from 'node:module';
import { VaultError } from '../errors.ts';
import { deriveKey, hmac } from '../keys/derive.ts';
import type { IdAlgorithm } from '../types.ts';

export type ChunkHasher = (plain: Uint8Array, idOut: Uint8Array) => void;

export interface HasherKey {
  readonly idKey: Uint8Array;
  readonly vaultId: string;
  readonly idAlgorithm: IdAlgorithm;
}

/** Metadata has a key of its own: no file content can ever have the id of a map. */
export function chunkHasher(key: HasherKey, kind: 'data' | 'meta'): ChunkHasher {
  const derived = deriveKey(key.idKey, key.vaultId, kind === 'data' ? 'data chunk id' : 'meta chunk id');
  if (key.idAlgorithm === 'hmac-sha256') {
    return (plain, idOut) => idOut.set(hmac(derived, plain));
  }
  const state = newKeyedBlake3(derived);
  return (plain, idOut) => {
    state.reset();
    state.update(plain);
    idOut.set(state.digestBuffer());
  };
}

/** One keyed state for many hashes: reset() keeps the key. */
export function newKeyedBlake3(key: Buffer): KeyedState {
  return loadBlake3().newKeyed(key);
}

interface KeyedState {
  reset(): void;
  update(bytes: Uint8Array): unknown;
  digestBuffer(): Buffer;
  digest(format: 'hex'): string;
}

let blake3: { newKeyed(key: Buffer): KeyedState } | null = null;

function loadBlake3() {
  try {
    blake3 ??= createRequire(import.meta.url)('@napi-rs/blake-hash').Blake3Hasher;
  } catch (cause) {
    throw new VaultError('VAULT_STORE_FAILED', 'this vault names chunks by BLAKE3, for which this platform has no binary', {
      cause,
    });
  }
  if (blake3 === null) throw new VaultError('VAULT_STORE_FAILED', 'the BLAKE3 binary is incomplete');
  return blake3;
}
