import type { VaultConfig } from '../config/config.ts';
import type { Store, StoreConfig, VaultKeys } from '../types.ts';

/** What an open vault is made of. */
export interface VaultContext {
  readonly store: Store;
  readonly storeConfig: StoreConfig;
  readonly config: VaultConfig;
  /** Null when opened for listing only. */
  readonly keys: VaultKeys | null;
}
