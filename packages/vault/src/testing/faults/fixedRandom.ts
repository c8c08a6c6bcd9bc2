/**
 * Makes chance repeatable in this process: ids, pack headers and names of temporary files come out the same for the same seed, and
 * so do all orders that depend on names. For test processes alone; never undone.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

let key = Buffer.alloc(32);
let counter = 0;

function bytes(length: number): Buffer {
  const nonce = Buffer.alloc(16);
  nonce.writeUInt32LE(counter++, 12);
  return crypto.createCipheriv('aes-256-ctr', key, nonce).update(Buffer.alloc(length));
}

export function fixRandom(seed: string): void {
  key = crypto.createHash('sha256').update(seed).digest();
  counter = 0;
  const randomUUID = () => {
    const hex = bytes(16).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
  };
  Object.assign(crypto, { randomBytes: bytes, randomUUID });
  syncBuiltinESMExports();
}
