/** [F1] Object names: `/`-separated segments of lower-case ASCII, so they survive every file system, URL and bucket unchanged. */
import { VaultError } from '../errors.ts';

const shape = /^[a-z0-9._~-]{1,120}(\/[a-z0-9._~-]{1,120}){0,7}$/;

export function isName(name: string): boolean {
  return shape.test(name) && !name.split('/').some((part) => part === '.' || part === '..');
}

/** @throws VaultError `VAULT_STORE_FAILED` for a name no store may hold. */
export function checkName(name: string): void {
  if (!isName(name)) {
    throw new VaultError('VAULT_STORE_FAILED', `"${name}" is not an object name`);
  }
}

/** Turns any text into one name segment: other bytes become `~xx`; what is too long ends in a hash of all of it. */
export function nameSegment(text: string, hash: (text: string) => string): string {
  let segment = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    segment += /[a-z0-9_-]/.test(char) ? char : `~${byte.toString(16).padStart(2, '0')}`;
  }
  if (segment === '') return '~';
  return segment.length <= 100 ? segment : `${segment.slice(0, 80)}~.${hash(text).slice(0, 16)}`;
}
