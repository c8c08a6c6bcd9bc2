import type { Store, StoreConfig } from '../types.ts';
export async function serviceStore(_config: Extract<StoreConfig, { kind: 'service' }>): Promise<Store> {
  throw new Error('not yet');
}
