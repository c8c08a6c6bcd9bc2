/**
 * Several programs on one modelled disk, one call at a time in an order drawn from a seed, with a clock that jumps, programs that are
 * killed, and power that goes. The same seed gives the same order. Reads take a turn each; so does each call that changes the disk,
 * so a program may stand still, or die, between writing an object and giving it its name.
 */
import { VaultError } from '../../errors.ts';
import { directoryStore } from '../../stores/directoryStore.ts';
import type { Store } from '../../types.ts';
import { Dice } from './dice.ts';
import { ModelDisk } from './modelDisk.ts';
import { onlySeed } from './tier.ts';

const folder = '/disk/vault';
const hourMs = 3_600_000;
/** Lines kept; all of them when one seed is played again. */
const traced = onlySeed === null ? 400 : Number.POSITIVE_INFINITY;

/** One process; a new one is made after a crash. */
export interface Actor {
  readonly name: string;
  readonly store: () => Promise<Store>;
  /** Killed, or cut off by a power cut. */
  readonly isDead: () => boolean;
}

export interface Weather {
  /** One turn in so many kills the program whose turn it is; 0: never. */
  readonly killOnceIn: number;
  readonly powerCutOnceIn: number;
  /** One turn in so many the clock is set wrong, by days, ahead or back. */
  readonly clockOnceIn: number;
  /** One turn in so many fills the disk or frees it again. */
  readonly fullOnceIn: number;
  readonly flipOnceIn: number;
}

export const calm: Weather = { killOnceIn: 0, powerCutOnceIn: 0, clockOnceIn: 0, fullOnceIn: 0, flipOnceIn: 0 };

export interface Counts {
  turns: number;
  kills: number;
  powerCuts: number;
  clockJumps: number;
  fills: number;
  flips: number;
}

interface Waiting {
  readonly actor: string;
  readonly call: string;
  readonly go: () => void;
  readonly stop: () => void;
}

export class Theatre {
  readonly disk: ModelDisk;
  readonly dice: Dice;
  weather: Weather;
  /** Without errors of the clock. */
  nowMs = Date.UTC(2026, 10, 22);
  clockErrorMs = 0;
  readonly counts: Counts = { turns: 0, kills: 0, powerCuts: 0, clockJumps: 0, fills: 0, flips: 0 };
  /** Objects a bit of which was flipped. */
  readonly flipped = new Set<string>();
  readonly trace: string[] = [];
  lies: ReadonlySet<'sync' | 'syncFolder'> = new Set();
  /** Called between turns now and then. */
  onLook: (() => Promise<void>) | null = null;
  private waiting: Waiting[] = [];
  private living = new Set<{ dead: boolean }>();
  private burst = { actor: '', left: 0 };
  private programs = 0;

  constructor(seed: number, weather: Weather) {
    this.dice = new Dice(seed);
    this.weather = weather;
    this.disk = new ModelDisk(() => this.nowMs + this.clockErrorMs);
  }

  note(text: string): void {
    this.trace.push(text);
    if (this.trace.length > traced) this.trace.shift();
  }

  /** @param name of the program, for the trace and for bursts */
  actor(name: string): Actor {
    const state = { dead: false };
    this.living.add(state);
    const turn = async (call: string): Promise<void> => {
      if (!state.dead) {
        await new Promise<void>((go, stop) => this.waiting.push({ actor: name, call, go, stop: () => stop(crash()) }));
      }
      if (state.dead) throw crash();
      if (!this.dice.once(this.weather.killOnceIn)) return;
      this.note(`${name} is killed before ${call}`);
      this.counts.kills += 1;
      state.dead = true;
      throw crash();
    };
    const files = this.disk.files({ before: (change, path) => turn(`${change} ${shortened(path)}`), lies: this.lies });
    const store = async (): Promise<Store> => {
      const inner = await directoryStore(folder, { create: false, files });
      return {
        ...inner,
        get: async (object, range) => {
          await turn(`get ${shortened(object)}`);
          return inner.get(object, range);
        },
        readInto: undefined,
        head: async (object) => {
          await turn(`head ${shortened(object)}`);
          return inner.head(object);
        },
        async *list(prefix) {
          await turn(`list ${prefix}`);
          yield* inner.list(prefix);
        },
      };
    };
    return { name, store, isDead: () => state.dead };
  }

  private cutPower(): void {
    this.note('THE POWER GOES');
    this.counts.powerCuts += 1;
    for (const state of this.living) state.dead = true;
    this.living = new Set();
    const stopped = this.waiting;
    this.waiting = [];
    this.disk.cutPower(this.dice.once(4) ? 'all' : new Dice(this.dice.roll(2 ** 31)));
    for (const { stop } of stopped) stop();
  }

  private flip(): void {
    const candidates = this.disk.paths().filter((path) => /^\/disk\/vault\/(packs|index|points|gc|sessions)\//.test(path));
    const path = this.dice.pick(candidates);
    if (path === undefined || this.flipped.size > 0) return;
    const size = this.disk.read(path).length;
    if (size === 0) return;
    const [at, bit] = [this.dice.roll(size), this.dice.roll(8)];
    this.disk.flip(path, at, bit);
    this.counts.flips += 1;
    this.flipped.add(path.slice(folder.length + 1));
    this.note(`BIT ${bit} OF BYTE ${at} OF ${shortened(path)} FLIPS`);
  }

  private pass(): void {
    const { dice, weather } = this;
    this.nowMs += dice.once(25) ? dice.roll(5 * hourMs) : dice.roll(5000);
    if (dice.once(weather.clockOnceIn)) {
      this.clockErrorMs = dice.once(2) ? 0 : (dice.roll(90 * 24) - 45 * 24) * hourMs;
      this.counts.clockJumps += 1;
      this.note(`THE CLOCK IS ${this.clockErrorMs / hourMs} HOURS AHEAD`);
    }
    if (dice.once(weather.fullOnceIn)) {
      const isFull = this.disk.roomBytes !== Number.POSITIVE_INFINITY;
      this.disk.roomBytes = isFull ? Number.POSITIVE_INFINITY : dice.roll(12_000);
      this.counts.fills += isFull ? 0 : 1;
      this.note(isFull ? 'THERE IS SPACE AGAIN' : `ONLY ${this.disk.roomBytes} BYTES ARE FREE`);
    }
    if (dice.once(weather.flipOnceIn)) this.flip();
    if (dice.once(weather.powerCutOnceIn)) this.cutPower();
  }

  /** Programs run in bursts: one that waits through a long burst of another is a PC that was asleep. */
  private pick(): Waiting | undefined {
    const { waiting, burst, dice } = this;
    if (burst.left === 0) {
      const actor = dice.pick(waiting)?.actor ?? '';
      this.burst = { actor, left: 1 + dice.roll(dice.once(4) ? 200 : 12) };
    } else burst.left -= 1;
    const favoured = waiting.findIndex((one) => one.actor === this.burst.actor);
    return waiting.splice(favoured < 0 ? dice.roll(Math.max(1, waiting.length)) : favoured, 1)[0];
  }

  /** Runs all programs to their end. */
  async run(programs: readonly (() => Promise<void>)[]): Promise<void> {
    this.programs = programs.length;
    let failed = false;
    const ended = Promise.all(
      programs.map((program) =>
        program().finally(() => {
          this.programs -= 1;
        }),
      ),
    );
    ended.catch(() => {
      failed = true;
    });
    for (let idle = 0; this.programs > 0 && !failed; ) {
      await nextTurn();
      if (this.onLook !== null && this.dice.once(500)) await this.onLook();
      const next = this.pick();
      if (next === undefined) {
        idle += 1;
        if (idle > 10_000) throw new Error('no program goes on');
        continue;
      }
      idle = 0;
      this.counts.turns += 1;
      this.note(`${next.actor}: ${next.call}`);
      next.go();
      await nextTurn();
      this.pass();
    }
    await ended;
  }

  /** From now on nothing goes wrong, and the clock is right. */
  settle(): void {
    this.weather = calm;
    this.clockErrorMs = 0;
    this.disk.roomBytes = Number.POSITIVE_INFINITY;
    this.note('— from here on all is calm —');
  }
}

/** Long enough for every program to reach its next call: nothing in them waits for the world outside. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function crash(): VaultError {
  return new VaultError('VAULT_UNREACHABLE', 'the program was killed', { retry: 'later' });
}

function shortened(path: string): string {
  const name = path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
  return name.replaceAll(/([0-9a-f]{8})[0-9a-f]{16,}/g, '$1…').replace(/^tmp\/\d+-/, 'tmp/');
}
