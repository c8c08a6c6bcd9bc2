/**
 * Two writers and a sweeper in one vault, one store call at a time in an order that is given: one program runs for so many calls, then
 * another for so many, then the third to its end, then the first and the second. All such orders are walked (a model check bounded by
 * the number of switches: most bugs of concurrent programs need few), or an even part of them.
 */
import { createHash } from 'node:crypto';
import { VaultError } from '../../errors.ts';
import type { Store } from '../../types.ts';
import { openVaultIn } from '../../vault/openVault.ts';
import { type MemoryStore, memoryStore } from '../memoryStore.ts';
import { createSample, noConfig, noise, readPoint, writePoint } from '../sampleVault.ts';
import { fixRandom } from './fixedRandom.ts';
import { type Bug, plant } from './plantedBugs.ts';

const none = { kind: 'none' } as const;
const small = { chunkBytes: 512, packBytes: 2048 };
const names = ['writer a', 'writer b', 'sweeper'] as const;
type Name = (typeof names)[number];

/** `first` runs for `firstCalls`, `second` for `secondCalls`, the third program to its end, then `first`, then `second`. */
export interface Order {
  readonly first: Name;
  readonly firstCalls: number;
  readonly second: Name;
  readonly secondCalls: number;
}

const shared = noise('shared', 2048);
const contents: Record<string, Buffer> = {
  gone: Buffer.concat([shared, noise('gone', 3000)]),
  kept: Buffer.concat([noise('kept', 1500), shared.subarray(0, 512)]),
  'writer a': Buffer.concat([shared, noise('a', 700)]),
  'writer b': Buffer.concat([noise('gone', 3000).subarray(0, 1024), shared]),
};

interface Scene {
  readonly objects: ReadonlyMap<string, Buffer>;
  readonly keptId: string;
}

const begin = (machineId: string) => ({
  ...{ machineId, compression: 'none' as const, expectedChunks: 50 },
  now: () => new Date(Date.UTC(2026, 10, 22)),
});

/** A vault of two points, one of which was removed: most of what the writers will bring lies in packs that can be swept. */
export async function setScene(): Promise<Scene> {
  fixRandom('scene');
  const store = memoryStore(new Map(), () => 0);
  const vault = await createSample(store, { encryption: none });
  const gone = await writePoint(vault, store, contents.gone ?? Buffer.alloc(0), { ...small, begin: begin('gone') });
  const kept = await writePoint(vault, store, contents.kept ?? Buffer.alloc(0), { ...small, begin: begin('kept') });
  await vault.removePoint(gone.header.id);
  await vault.close();
  return { objects: new Map(store.objects), keptId: kept.header.id };
}

/** Lets one program at a time make its next call. */
class Turns {
  /** A program may have several calls under way: a pack is stored while the next one fills. */
  private readonly waiting: { name: Name; go: () => void }[] = [];
  private readonly ended = new Set<Name>();
  readonly sequence: string[] = [];
  nowMs = 1_000_000;

  through(store: MemoryStore, name: Name): Store {
    const turn = () => new Promise<void>((go) => this.waiting.push({ name, go }));
    return {
      ...store,
      put: async (object, bytes) => turn().then(() => store.put(object, bytes)),
      get: async (object, range) => turn().then(() => store.get(object, range)),
      head: async (object) => turn().then(() => store.head(object)),
      remove: async (object) => turn().then(() => store.remove(object)),
      async *list(prefix) {
        await turn();
        yield* store.list(prefix);
      },
    };
  }

  /** At most `calls` calls of this program. */
  async run(name: Name, calls: number): Promise<void> {
    for (let made = 0; made < calls && !this.ended.has(name); ) {
      await new Promise((resolve) => setImmediate(resolve));
      const at = this.waiting.findIndex((one) => one.name === name);
      const [next] = at < 0 ? [] : this.waiting.splice(at, 1);
      if (next === undefined) continue;
      this.sequence.push(name);
      this.nowMs += 60_000;
      made += 1;
      next.go();
    }
  }

  async program(name: Name, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (!(cause instanceof VaultError && cause.code === 'VAULT_SWEPT')) throw cause;
    } finally {
      this.ended.add(name);
    }
  }
}

export interface Played {
  /** Of the sequence of programs, call by call. */
  readonly hash: string;
  readonly calls: ReadonlyMap<Name, number>;
  readonly acknowledged: number;
  readonly sweptPacks: number;
}

/** @throws Error when a point somebody was told of is not whole. */
export async function playOrder(scene: Scene, order: Order, bug: Bug | null = null): Promise<Played> {
  fixRandom('order');
  const turns = new Turns();
  const store = memoryStore(new Map(scene.objects), () => turns.nowMs);
  const safe = new Map([[scene.keptId, contents.kept ?? Buffer.alloc(0)]]);
  let sweptPacks = 0;
  const write = (name: 'writer a' | 'writer b') => async () => {
    const content = contents[name] ?? Buffer.alloc(0);
    const own = plant(turns.through(store, name), bug, 'writer');
    const vault = await openVaultIn(own, noConfig, none);
    const { header } = await writePoint(vault, own, content, { ...small, begin: begin(name) });
    safe.set(header.id, content);
    await vault.close();
  };
  const sweep = async () => {
    const own = plant(turns.through(store, 'sweeper'), bug, 'sweeper');
    const vault = await openVaultIn(own, noConfig, none);
    // Sessions count as dead at once: nothing but the fence keeps a writer's point whole.
    for (let run = 0; run < 2; run += 1) {
      sweptPacks += (await vault.collectGarbage({ delayMs: 0, youngMs: 0, leaseMs: 1 })).swept?.packs ?? 0;
    }
    await vault.close();
  };
  const work = { 'writer a': write('writer a'), 'writer b': write('writer b'), sweeper: sweep };
  const ended = Promise.all(names.map((name) => turns.program(name, work[name])));
  ended.catch(() => {});
  const third = names.find((name) => name !== order.first && name !== order.second) ?? 'sweeper';
  await turns.run(order.first, order.firstCalls);
  await turns.run(order.second, order.secondCalls);
  for (const name of [third, order.first, order.second]) await turns.run(name, Number.POSITIVE_INFINITY);
  await ended;
  await check(store, safe);
  const calls = new Map(names.map((name) => [name, turns.sequence.filter((one) => one === name).length]));
  const hash = createHash('sha256').update(turns.sequence.join()).digest('base64');
  return { hash, calls, acknowledged: safe.size - 1, sweptPacks };
}

async function check(store: Store, safe: ReadonlyMap<string, Buffer>): Promise<void> {
  const vault = await openVaultIn(store, noConfig, none);
  const { points, unreadable } = await vault.listPoints();
  if (unreadable.length > 0) throw new Error(`manifests cannot be read: ${unreadable.join()}`);
  const listed = new Set(points.map((point) => point.id));
  for (const [id, content] of safe) {
    if (!listed.has(id)) throw new Error(`the acknowledged point ${id} is gone`);
    const read = await readPoint(vault, id).catch((cause: unknown) => {
      throw new Error(`the acknowledged point ${id} cannot be read`, { cause });
    });
    if (!read.equals(content)) throw new Error(`point ${id} reads as something else`);
  }
  await vault.close();
}

/** All orders in which the given programs make at most so many calls before the first switches; `step` takes an even part of them. */
export function* orders(calls: ReadonlyMap<Name, number>, step: number): Generator<Order> {
  let count = 0;
  for (const first of names) {
    for (const second of names) {
      if (first === second) continue;
      for (let firstCalls = 0; firstCalls < (calls.get(first) ?? 0); firstCalls += 1) {
        for (let secondCalls = 1; secondCalls <= (calls.get(second) ?? 0); secondCalls += 1) {
          count += 1;
          if (count % step === 0) yield { first, firstCalls, second, secondCalls };
        }
      }
    }
  }
}
