export { VaultError, type VaultErrorCode } from './errors.ts';
export type * from './types.ts';
