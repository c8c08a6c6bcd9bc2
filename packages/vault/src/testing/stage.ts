/**
 * Runs several programs against one store, one call at a time in an order drawn from a seed, with a clock of the store's own and
 * with crashes: a crashed program's calls never come back. The same seed gives the same order.
 */
import { VaultError } from '../errors.ts';
import type { Store } from '../types.ts';
import { type MemoryStore, memoryStore } from './memoryStore.ts';

/** A small generator of repeatable numbers (mulberry32). */
export class Dice {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  /** 0 ≤ result < `below`. */
  roll(below: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }
  /** True once in `times`. */
  once(times: number): boolean {
    return this.roll(times) === 0;
  }
}

/** One program under the stage's control; a new one is made after a crash. */
export interface Actor {
  readonly store: Store;
  readonly crashed: () => boolean;
}

export class Stage {
  readonly inner: MemoryStore;
  readonly dice: Dice;
  nowMs = 1_000_000_000_000;
  private readonly waiting: { actor: number; go: () => void }[] = [];
  private actors = 0;
  /** Programs run in bursts: one that waits through a long burst of another is a PC that was asleep. */
  private burst = { actor: 0, left: 0 };
  private programs = 0;
  /** One call in this many crashes its program; 0 = never. */
  private crashOnceIn: number;

  constructor(seed: number, options: { crashOnceIn: number }) {
    this.dice = new Dice(seed);
    this.crashOnceIn = options.crashOnceIn;
    this.inner = memoryStore(new Map(), () => this.nowMs);
  }

  actor(): Actor {
    let crashed = false;
    const actor = this.actors++;
    const turn = async <T>(act: () => Promise<T>): Promise<T> => {
      await new Promise<void>((resolve) => this.waiting.push({ actor, go: resolve }));
      if (crashed) throw crash();
      const crashes = this.crashOnceIn > 0 && this.dice.once(this.crashOnceIn);
      // Half of all crashes come before the call has worked, half after.
      if (crashes && this.dice.once(2)) await act().catch(() => {});
      if (!crashes) return act();
      crashed = true;
      throw crash();
    };
    const { inner } = this;
    const store: Store = {
      location: 'stage',
      put: (name, bytes) => turn(() => inner.put(name, bytes)),
      get: (name, range) => turn(() => inner.get(name, range)),
      head: (name) => turn(() => inner.head(name)),
      remove: (name) => turn(() => inner.remove(name)),
      async *list(prefix) {
        const found = await turn(async () => {
          const all = [];
          for await (const one of inner.list(prefix)) all.push(one);
          return all;
        });
        yield* found;
      },
      async close() {},
    };
    return { store, crashed: () => crashed };
  }

  private pick(): { go: () => void } | undefined {
    const { waiting, burst } = this;
    if (burst.left === 0) {
      const length = this.dice.once(4) ? 200 : 12;
      this.burst = { actor: waiting[this.dice.roll(Math.max(1, waiting.length))]?.actor ?? 0, left: 1 + this.dice.roll(length) };
    } else burst.left -= 1;
    const favoured = waiting.findIndex((one) => one.actor === this.burst.actor);
    return waiting.splice(favoured < 0 ? this.dice.roll(Math.max(1, waiting.length)) : favoured, 1)[0];
  }

  /** No more crashes from now on. */
  calm(): void {
    this.crashOnceIn = 0;
  }

  /** Runs all programs to their end. Between calls the clock moves, by seconds mostly and by hours now and then. */
  async run(programs: readonly (() => Promise<void>)[]): Promise<void> {
    this.programs = programs.length;
    const ended = Promise.all(programs.map((program) => program().finally(() => (this.programs -= 1))));
    ended.catch(() => {
      this.programs = 0;
    });
    for (let idle = 0; this.programs > 0 && idle < 1000; ) {
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.pick();
      this.nowMs += this.dice.once(25) ? this.dice.roll(5 * 3_600_000) : this.dice.roll(5000);
      idle = next === undefined ? idle + 1 : 0;
      next?.go();
    }
    await ended;
  }
}

function crash(): VaultError {
  return new VaultError('VAULT_UNREACHABLE', 'the program crashed', { retry: 'later' });
}
