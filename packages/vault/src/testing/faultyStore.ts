/** Wraps a store and fails where a test wants it to. */
import { VaultError } from '../errors.ts';
import type { Store } from '../types.ts';

export interface Faults {
  /** Throw what this returns, if anything, before a call goes through. */
  before?: (call: 'put' | 'get' | 'head' | 'list' | 'remove', name: string) => VaultError | null;
  /** Change what a read returns. */
  onRead?: (name: string, bytes: Buffer) => Buffer;
}

export function faultyStore(inner: Store, faults: Faults): Store {
  const check = (call: 'put' | 'get' | 'head' | 'list' | 'remove', name: string) => {
    const failure = faults.before?.(call, name) ?? null;
    if (failure !== null) throw failure;
  };
  return {
    location: inner.location,
    async put(name, bytes) {
      check('put', name);
      return inner.put(name, bytes);
    },
    async get(name, range) {
      check('get', name);
      const bytes = await inner.get(name, range);
      return faults.onRead?.(name, bytes) ?? bytes;
    },
    async head(name) {
      check('head', name);
      return inner.head(name);
    },
    async *list(prefix) {
      check('list', prefix);
      yield* inner.list(prefix);
    },
    async remove(name) {
      check('remove', name);
      await inner.remove(name);
    },
    close: () => inner.close(),
  };
}

/** A store that is full once `limitBytes` were put into it; `limitBytes` may be raised later. */
export function fullStore(inner: Store, room: { limitBytes: number }): Store {
  let used = 0;
  return {
    ...inner,
    list: (prefix) => inner.list(prefix),
    async put(name, bytes) {
      if (used + bytes.length > room.limitBytes) {
        throw new VaultError('VAULT_FULL', 'no space is left where the vault lies', { retry: 'later' });
      }
      used += bytes.length;
      return inner.put(name, bytes);
    },
  };
}
