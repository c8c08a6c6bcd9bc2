export type VaultErrorCode =
  | 'VAULT_NOT_FOUND'
  | 'VAULT_EXISTS'
  | 'VAULT_TOO_NEW'
  | 'VAULT_DAMAGED'
  | 'VAULT_KEY_NEEDED'
  | 'VAULT_WRONG_PASSPHRASE'
  | 'VAULT_OBJECT_MISSING'
  | 'VAULT_STORE_FAILED'
  | 'VAULT_FULL'
  | 'VAULT_UNREACHABLE'
  | 'VAULT_REFUSED'
  | 'VAULT_OBJECT_LOCKED'
  | 'VAULT_QUOTA'
  | 'VAULT_RETAINED'
  | 'VAULT_SWEPT'
  | 'VAULT_TOO_OLD'
  | 'POINT_NOT_FOUND'
  | 'POINT_DAMAGED'
  | 'CHUNK_MISSING'
  | 'CHUNK_DAMAGED'
  | 'PORTABLE_EXISTS'
  | 'PORTABLE_INCOMPLETE'
  | 'PORTABLE_DAMAGED';

/** The only error this package throws. `retry: 'later'` = the same call can succeed later without a person changing anything here. */
export class VaultError extends Error {
  readonly code: VaultErrorCode;
  readonly retry: 'never' | 'later';
  constructor(code: VaultErrorCode, message: string, options: { retry?: 'never' | 'later'; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'VaultError';
    this.code = code;
    this.retry = options.retry ?? 'never';
  }
}
