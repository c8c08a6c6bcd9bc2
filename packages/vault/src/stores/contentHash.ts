import { sha256 } from '../keys/derive.ts';
import { native } from '../native.ts';

/** The SHA-256 of an object's bytes, in hex. Packs and index segments carry it in their name: no need to compute it twice. */
export function contentHash(name: string, bytes: Uint8Array): string {
  return hashInName(name) ?? sha256(bytes).toString('hex');
}

/** Less than this is hashed sooner than handed to another thread. */
const worthThreadBytes = 256 << 10;

/** The SHA-256 of bytes in hex, of many bytes off this thread: they must not change until it resolves. */
export async function hashAside(bytes: Uint8Array): Promise<string> {
  const hash = bytes.length < worthThreadBytes ? sha256(bytes) : await native().sha256(bytes);
  return hash.toString('hex');
}

/** [F1] The hash a name carries: such an object has one possible content. Null for all others. */
export function hashInName(name: string): string | null {
  return /^(?:packs|index)\/.*\/([0-9a-f]{64})$/.exec(name)?.[1] ?? null;
}
