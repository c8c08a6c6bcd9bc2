/**
 * Secrets at rest: AES-256-GCM by a master key the database does not hold. The place (table, row, column) is bound in, so that a
 * sealed value copied to another row does not open. Text form: `v1.<nonce>.<ciphertext and tag>`, base64url.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ServerError } from '../errors.ts';

export interface Place {
  readonly table: string;
  readonly id: string;
  readonly column: string;
}

export function sealSecret(masterKey: Uint8Array, place: Place, plain: Uint8Array): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', masterKey, nonce).setAAD(describe(place));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return `v1.${nonce.toString('base64url')}.${sealed.toString('base64url')}`;
}

/** @throws ServerError INTERNAL when the master key is another one, or the value was changed or moved. */
export function openSecret(masterKey: Uint8Array, place: Place, text: string): Buffer {
  const [version, nonce, body] = text.split('.');
  try {
    if (version !== 'v1' || !nonce || !body) throw new Error('unknown form');
    const sealed = Buffer.from(body, 'base64url');
    const cut = sealed.length - 16;
    const decipher = createDecipheriv('aes-256-gcm', masterKey, Buffer.from(nonce, 'base64url'), { authTagLength: 16 });
    decipher.setAAD(describe(place)).setAuthTag(sealed.subarray(cut));
    return Buffer.concat([decipher.update(sealed.subarray(0, cut)), decipher.final()]);
  } catch (cause) {
    const detail = `a secret of ${place.table} does not open: the master key file is not the one it was sealed with`;
    throw new ServerError('INTERNAL', detail, { cause });
  }
}

function describe({ table, id, column }: Place): Buffer {
  return Buffer.from(JSON.stringify(['diskfleet-secret-v1', table, id, column]), 'utf8');
}
