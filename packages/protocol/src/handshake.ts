/**
 * The mutual Ed25519 challenge. Each side signs its role, both identities and both nonces, so that a signature can be
 * neither replayed on another connection nor reflected back to its maker.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

export interface HandshakeFacts {
  readonly machineId: string;
  readonly serverId: string;
  readonly agentNonce: string;
  readonly serverNonce: string;
}

/** The exact bytes signed: length-prefixed fields, so no two different sets of facts give the same bytes. */
export function handshakeBytes(role: 'agent' | 'server', facts: HandshakeFacts): Buffer {
  const fields = ['diskfleet-handshake-v1', role, facts.machineId, facts.serverId, facts.agentNonce, facts.serverNonce];
  return Buffer.concat(
    fields.map((field) => {
      const bytes = Buffer.from(field, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return Buffer.concat([length, bytes]);
    }),
  );
}

export function signBytes(privateKey: KeyObject, bytes: Uint8Array): string {
  return sign(null, bytes, privateKey).toString('base64');
}

/** False for a wrong signature, a malformed one or a malformed key: never throws. */
export function verifyBytes(rawPublicKeyBase64: string, bytes: Uint8Array, signatureBase64: string): boolean {
  try {
    const signature = Buffer.from(signatureBase64, 'base64');
    return signature.length === 64 && verify(null, bytes, rawPublicKey(rawPublicKeyBase64), signature);
  } catch {
    return false;
  }
}

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A raw 32-byte Ed25519 public key in base64 as a key object. @throws when it is not one. */
export function rawPublicKey(base64Text: string): KeyObject {
  const raw = Buffer.from(base64Text, 'base64');
  if (raw.length !== 32) throw new Error('an Ed25519 public key has 32 bytes');
  return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' });
}

/** A 32-byte Ed25519 seed in base64 as a private key object. */
export function rawPrivateKey(base64Text: string): KeyObject {
  const raw = Buffer.from(base64Text, 'base64');
  if (raw.length !== 32) throw new Error('an Ed25519 private key has 32 bytes');
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, raw]), format: 'der', type: 'pkcs8' });
}

/** A fresh key pair as raw base64 texts, for storing. */
export function generateIdentity(): { publicKey: string; privateKey: string } {
  const pair = generateKeyPairSync('ed25519');
  return {
    publicKey: pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64'),
    privateKey: pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64'),
  };
}

/** Short form of a public key for a person to compare on two screens: `3f9c-01ab-77d2-e410` (first 8 bytes of its SHA-256). */
export function keyFingerprint(rawPublicKeyBase64: string): string {
  const digest = createHash('sha256').update(Buffer.from(rawPublicKeyBase64, 'base64')).digest('hex');
  return digest.slice(0, 16).replace(/(.{4})(?=.)/g, '$1-');
}
