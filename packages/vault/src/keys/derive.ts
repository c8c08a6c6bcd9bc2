/** [F5] Every key in use is derived from one of the vault's two secrets for one purpose, bound to the vault's id. */
import { createHash, createHmac, hkdfSync } from 'node:crypto';

export type KeyPurpose = 'data chunk id' | 'meta chunk id' | 'config' | 'index' | 'manifest' | 'gc' | 'piece sum';

const derived = new WeakMap<Uint8Array, Map<string, Buffer>>();

/** HKDF-SHA-256 of the id key; salt = the vault id's text, info = `diskfleet v1 <purpose>`. */
export function deriveKey(idKey: Uint8Array, vaultId: string, purpose: KeyPurpose): Buffer {
  const known = derived.get(idKey) ?? new Map<string, Buffer>();
  derived.set(idKey, known);
  const name = `${vaultId} ${purpose}`;
  const key = known.get(name) ?? Buffer.from(hkdfSync('sha256', idKey, vaultId, `diskfleet v1 ${purpose}`, 32));
  known.set(name, key);
  return key;
}

export function hmac(key: Uint8Array, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const state = createHmac('sha256', key);
  for (const part of parts) state.update(part);
  return state.digest();
}

export function sha256(...parts: readonly (Uint8Array | string)[]): Buffer {
  const state = createHash('sha256');
  for (const part of parts) state.update(part);
  return state.digest();
}
