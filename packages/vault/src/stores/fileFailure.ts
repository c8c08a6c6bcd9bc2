/** What a file system's refusal means to people. */
import { VaultError } from '../errors.ts';

export function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}

export function isAbsent(cause: unknown): boolean {
  return codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR';
}

export function isFull(cause: unknown): boolean {
  return codeOf(cause) === 'ENOSPC' || codeOf(cause) === 'EDQUOT';
}

/** @throws VaultError always. @param what object or folder the call was about */
export function fail(cause: unknown, what: string): never {
  if (cause instanceof VaultError) throw cause;
  const code = codeOf(cause);
  if (isFull(cause)) {
    const space = code === 'EDQUOT' ? "this user's quota is used up" : 'no space is left';
    throw new VaultError('VAULT_FULL', `${space} where the vault lies; free some, then run again (${what})`, {
      retry: 'later',
      cause,
    });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    throw new VaultError(
      'VAULT_STORE_FAILED',
      `this user may not use ${what}: check the owner and rights of the vault's folder`,
      { cause },
    );
  }
  if (code === 'EROFS') {
    throw new VaultError(
      'VAULT_STORE_FAILED',
      `${what} is on a read-only file system: remount it writable, or choose another vault`,
      { cause },
    );
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  const retry = code === 'EIO' || code === 'ESTALE' || code === 'ETIMEDOUT' || code === 'EMFILE' ? 'later' : 'never';
  throw new VaultError('VAULT_STORE_FAILED', `the vault's folder failed on ${what}: ${text}`, { retry, cause });
}
