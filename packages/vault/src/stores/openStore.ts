import { fileStore } from '../portable/fileStore.ts';
import type { Store, StoreConfig } from '../types.ts';
import { directoryStore } from './directoryStore.ts';
import { s3Store } from './s3/s3Store.ts';
import { serviceStore } from './serviceStore.ts';

/** Opens the store a configuration names. @throws VaultError `VAULT_NOT_FOUND`, `PORTABLE_INCOMPLETE`, `PORTABLE_DAMAGED`, `VAULT_UNREACHABLE`, `VAULT_REFUSED`. */
export async function openStore(config: StoreConfig, options: { create?: boolean } = {}): Promise<Store> {
  switch (config.kind) {
    case 'directory':
      return directoryStore(config.path, { create: options.create ?? false });
    case 'file':
      return fileStore(config.path);
    case 'service':
      return serviceStore(config);
    case 's3':
      return s3Store(config);
  }
}
