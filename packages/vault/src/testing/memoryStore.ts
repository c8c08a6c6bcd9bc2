/** A store in memory, for tests; `objects` may be looked at and damaged directly. */
import { VaultError } from '../errors.ts';
import { checkName } from '../stores/names.ts';
import type { Store } from '../types.ts';

export interface MemoryStore extends Store {
  readonly objects: Map<string, Buffer>;
}

/** @param clock the store's own clock, in ms; without one it knows no times. */
export function memoryStore(objects: Map<string, Buffer> = new Map(), clock?: () => number): MemoryStore {
  const times = new Map<string, number>();
  const find = (name: string) => {
    checkName(name);
    const bytes = objects.get(name);
    if (bytes === undefined) throw new VaultError('VAULT_OBJECT_MISSING', `the vault has no object ${name}`);
    return bytes;
  };
  return {
    objects,
    location: 'memory',
    async put(name, bytes) {
      checkName(name);
      if (objects.has(name)) return 'exists';
      objects.set(name, Buffer.from(bytes));
      if (clock !== undefined) times.set(name, clock());
      return 'stored';
    },
    async get(name, range) {
      const bytes = find(name);
      const from = range?.offsetBytes ?? 0;
      const to = from + (range?.lengthBytes ?? bytes.length);
      if (to > bytes.length) throw new VaultError('VAULT_OBJECT_MISSING', `${name} ends before byte ${to}`);
      return Buffer.from(bytes.subarray(from, to));
    },
    async head(name) {
      checkName(name);
      const bytes = objects.get(name);
      return bytes === undefined ? null : { name, sizeBytes: bytes.length };
    },
    async *list(prefix) {
      for (const name of [...objects.keys()].sort()) {
        const bytes = objects.get(name);
        if (bytes !== undefined && name.startsWith(prefix))
          yield { name, sizeBytes: bytes.length, ...(times.has(name) ? { storedAtMs: times.get(name) } : {}) };
      }
    },
    async remove(name) {
      objects.delete(name);
    },
    async close() {},
  };
}
