/**
 * [F6] Sealing to the vault's public key: anyone with the write capability can seal, only the private key opens.
 * X25519 with a fresh key each time, HKDF-SHA-256 over the shared secret, AES-256-GCM with an all-zero nonce (each key is used once).
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { VaultKeys } from '../types.ts';

const publicPrefix = Buffer.from('302a300506032b656e032100', 'hex');
const privatePrefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
const tagBytes = 16;

const publicKeyOf = (raw: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([publicPrefix, raw]), format: 'der', type: 'spki' });
const privateKeyOf = (raw: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([privatePrefix, raw]), format: 'der', type: 'pkcs8' });

/** Importing a private key costs as much as using it, and one opens thousands of packs and manifests. */
const imported = new WeakMap<Uint8Array, KeyObject>();

function importedPrivateKey(raw: Uint8Array): KeyObject {
  const key = imported.get(raw) ?? privateKeyOf(raw);
  imported.set(raw, key);
  return key;
}

const rawPublic = (key: KeyObject) => key.export({ format: 'der', type: 'spki' }).subarray(-32);

/** Makes the three keys of a new encrypted vault. Losing the private key loses every backup in it. */
export function generateVaultKeys(): VaultKeys {
  const pair = generateKeyPairSync('x25519');
  return {
    idKey: randomBytes(32),
    publicKey: Buffer.from(rawPublic(pair.publicKey)),
    privateKey: Buffer.from(pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)),
  };
}

/** The public half of a raw X25519 private key. */
export function publicFromPrivate(privateKey: Uint8Array): Buffer {
  return Buffer.from(rawPublic(createPublicKey(privateKeyOf(privateKey))));
}

type SealPurpose = 'pack key' | 'manifest body';

function keyFor(shared: Uint8Array, salt: Uint8Array, purpose: SealPurpose): Buffer {
  return Buffer.from(hkdfSync('sha256', shared, salt, `diskfleet v1 seal ${purpose}`, 32));
}

/** A sealed text: the sender's one-time public key, then ciphertext and 16 bytes of tag. */
export interface Sealed {
  readonly ephemeralKey: Buffer;
  readonly box: Buffer;
}

export interface SealContext {
  readonly purpose: SealPurpose;
  readonly aad: Uint8Array;
}

export function seal(publicKey: Uint8Array, plain: Uint8Array, context: SealContext): Sealed {
  const pair = generateKeyPairSync('x25519');
  const ephemeralKey = Buffer.from(rawPublic(pair.publicKey));
  const shared = diffieHellman({ privateKey: pair.privateKey, publicKey: publicKeyOf(publicKey) });
  const key = keyFor(shared, Buffer.concat([ephemeralKey, publicKey]), context.purpose);
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
  cipher.setAAD(context.aad);
  const box = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { ephemeralKey, box };
}

/** Null when it was changed or sealed to another key. */
export function unseal(keys: VaultKeys, sealed: Sealed, context: SealContext): Buffer | null {
  if (keys.privateKey === null || keys.publicKey === null || sealed.box.length < tagBytes) return null;
  try {
    const shared = diffieHellman({
      privateKey: importedPrivateKey(keys.privateKey),
      publicKey: publicKeyOf(sealed.ephemeralKey),
    });
    const key = keyFor(shared, Buffer.concat([sealed.ephemeralKey, keys.publicKey]), context.purpose);
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12), { authTagLength: tagBytes });
    decipher.setAAD(context.aad);
    decipher.setAuthTag(sealed.box.subarray(-tagBytes));
    return Buffer.concat([decipher.update(sealed.box.subarray(0, -tagBytes)), decipher.final()]);
  } catch {
    return null;
  }
}
