/** [F2] Text objects (config, keys, sessions, those of the sweeper): one line of JSON, one line with the SHA-256 of the first, nothing else. */
import { VaultError } from '../errors.ts';
import { sha256 } from '../keys/derive.ts';

export function sealText(value: unknown): Buffer {
  const line = `${JSON.stringify(value)}\n`;
  return Buffer.from(`${line}${sha256(line).toString('hex')}\n`);
}

/** Config, keys and sessions have a few hundred bytes. */
const largestBytes = 64 << 10;

/** @throws VaultError `VAULT_DAMAGED` for an object that is none of these, before anything is made of it. */
export function checkTextSize(bytes: Uint8Array, name: string, atMostBytes = largestBytes): void {
  if (bytes.length <= atMostBytes) return;
  throw new VaultError('VAULT_DAMAGED', `${name} is damaged: it has ${bytes.length} bytes, more than such an object ever has`);
}

/** The JSON value, unchecked but for its hash. @throws VaultError `VAULT_DAMAGED`. */
export function openText(bytes: Uint8Array, name: string, atMostBytes = largestBytes): unknown {
  checkTextSize(bytes, name, atMostBytes);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = text.indexOf(10) + 1;
  const line = text.subarray(0, end);
  if (end === 0 || !text.subarray(end).equals(Buffer.from(`${sha256(line).toString('hex')}\n`))) {
    throw new VaultError('VAULT_DAMAGED', `${name} is damaged: its checksum does not match`);
  }
  try {
    return JSON.parse(line.toString('utf8'));
  } catch (cause) {
    throw new VaultError('VAULT_DAMAGED', `${name} is damaged: it is not JSON`, { cause });
  }
}
