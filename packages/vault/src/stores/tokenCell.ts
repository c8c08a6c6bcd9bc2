/**
 * A capability token that can be renewed while threads use it. A run may outlive its first token; the newest one is put into
 * memory all threads share, and each request takes what is there.
 *
 * Layout: Int32 sequence (odd while it is written) · Int32 length in bytes · UTF-8.
 */
import { VaultError } from '../errors.ts';

const HEAD_BYTES = 8;
const MAX_TOKEN_BYTES = 4096;

/** An empty cell: the token of the configuration is used until `renewToken` puts one in. */
export function makeTokenCell(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEAD_BYTES + MAX_TOKEN_BYTES);
}

/** From now on requests of every thread use `token`. One thread may write. @throws VaultError `VAULT_REFUSED` when it is too long. */
export function renewToken(cell: SharedArrayBuffer, token: string): void {
  const bytes = Buffer.from(token, 'utf8');
  if (bytes.length > MAX_TOKEN_BYTES) throw new VaultError('VAULT_REFUSED', `a token of ${bytes.length} bytes is too long`);
  const head = new Int32Array(cell, 0, 2);
  Atomics.add(head, 0, 1);
  new Uint8Array(cell, HEAD_BYTES).set(bytes);
  Atomics.store(head, 1, bytes.length);
  Atomics.add(head, 0, 1);
}

/** The newest token, or null while the cell is empty. */
export function currentToken(cell: SharedArrayBuffer): string | null {
  const head = new Int32Array(cell, 0, 2);
  for (;;) {
    const before = Atomics.load(head, 0);
    const text = Buffer.from(new Uint8Array(cell, HEAD_BYTES, Atomics.load(head, 1)).slice()).toString('utf8');
    // Read while it was written: the writer needs microseconds, so look again.
    if (before % 2 === 0 && Atomics.load(head, 0) === before) return text === '' ? null : text;
  }
}
