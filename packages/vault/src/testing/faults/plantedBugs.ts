/**
 * Bugs to be switched on: each is one a vault could have, made by a layer between the code and its store. A suite that does not find
 * them would not find others.
 */
import type { Store, StoredObject } from '../../types.ts';

export const bugs = [
  'no file is synced',
  'no folder is synced',
  'packs are acknowledged before they are stored',
  'writers never look for a fence',
  'writers do not look again behind their manifest',
  'the sweeper does not read newer manifests',
  'manifests are acknowledged before they are stored',
] as const;

export type Bug = (typeof bugs)[number];

async function all(list: AsyncIterable<StoredObject>): Promise<StoredObject[]> {
  const found: StoredObject[] = [];
  for await (const one of list) found.push(one);
  return found;
}

/** Names of points as they were when the newest mark was made, in the one vault that is played with. */
let pointsAtMark: Set<string> | null = null;

export function plant(store: Store, bug: Bug | null, who: 'writer' | 'sweeper' | 'other'): Store {
  switch (bug) {
    case 'packs are acknowledged before they are stored':
      return who === 'writer' ? behind(store, /^packs\//) : store;
    case 'manifests are acknowledged before they are stored':
      return who === 'writer' ? behind(store, /^points\//) : store;
    case 'writers never look for a fence':
      return who === 'writer' ? { ...store, list: (prefix) => without(store, prefix, /-sweep$/) } : store;
    case 'writers do not look again behind their manifest':
      return who === 'writer' ? lookingOnce(store) : store;
    case 'the sweeper does not read newer manifests':
      return who === 'sweeper' ? blindToNewPoints(store) : store;
    default:
      return store;
  }
}

async function* without(store: Store, prefix: string, hidden: RegExp): AsyncIterable<StoredObject> {
  for await (const one of store.list(prefix)) if (!hidden.test(one.name)) yield one;
}

/** Says "stored" at once and stores later, when the next object is put. */
function behind(store: Store, late: RegExp): Store {
  let owed: (() => Promise<unknown>) | null = null;
  return {
    ...store,
    async put(name, bytes) {
      const before = owed;
      owed = null;
      await before?.();
      if (!late.test(name)) return store.put(name, bytes);
      const kept = Buffer.from(bytes);
      owed = () => store.put(name, kept);
      return 'stored';
    },
  };
}

function lookingOnce(store: Store): Store {
  let committed = false;
  let last: StoredObject[] = [];
  return {
    ...store,
    async put(name, bytes) {
      const result = await store.put(name, bytes);
      committed ||= name.startsWith('points/');
      return result;
    },
    async *list(prefix) {
      if (prefix === 'gc/' && committed) yield* last;
      else {
        const found = await all(store.list(prefix));
        if (prefix === 'gc/') last = found;
        yield* found;
      }
    },
  };
}

function blindToNewPoints(store: Store): Store {
  let fenced = false;
  let seen: string[] = [];
  return {
    ...store,
    async put(name, bytes) {
      const result = await store.put(name, bytes);
      if (name.endsWith('-sweep')) fenced = true;
      if (name.endsWith('-mark')) pointsAtMark = new Set(seen);
      return result;
    },
    async *list(prefix) {
      const found = await all(store.list(prefix));
      if (prefix !== 'points/') yield* found;
      else {
        const marked = pointsAtMark;
        seen = found.map((one) => one.name);
        yield* fenced && marked !== null ? found.filter((one) => marked.has(one.name)) : found;
      }
    },
  };
}
