/**
 * One seed of the simulation: PCs back up, a sweeper sweeps and copies, a person removes points, another reads and repairs, while
 * programs are killed, the power goes, the disk is full, the clock is wrong and a bit flips. Checked at random moments, after each act
 * and at the end: what was acknowledged is there and reads as it was; what is damaged is named; garbage goes in the end.
 */
import { VaultError } from '../../errors.ts';
import { directoryStore } from '../../stores/directoryStore.ts';
import type { Store, Vault, VerifyReport } from '../../types.ts';
import { openVaultIn } from '../../vault/openVault.ts';
import { createSample, noConfig, noise, readPoint, writePoint } from '../sampleVault.ts';
import { Dice } from './dice.ts';
import { fixRandom } from './fixedRandom.ts';
import type { ModelDisk } from './modelDisk.ts';
import { type Bug, plant } from './plantedBugs.ts';
import { type Counts, Theatre, type Weather } from './theatre.ts';

const none = { kind: 'none' } as const;
const folder = '/disk/vault';
const hourMs = 3_600_000;
const leaseMs = 30 * 60_000;
const chunkBytes = 256;
const damageCodes = ['VAULT_DAMAGED', 'POINT_DAMAGED', 'CHUNK_DAMAGED', 'CHUNK_MISSING'];

/** Where a bit flipped: damage, and what passes by itself while a damaged object is being replaced. */
function isExcused(cause: unknown): boolean {
  return cause instanceof VaultError && (damageCodes.includes(cause.code) || cause.retry === 'later');
}

/** What points are made of: few different chunks, so that runs build on each other's and on those of removed points. */
const chunks = Array.from({ length: 24 }, (_, at) => noise(`chunk ${at}`, chunkBytes));

export interface Tally extends Counts {
  acknowledged: number;
  removed: number;
  refused: number;
  full: number;
  read: number;
  sweptPacks: number;
  copied: number;
  voids: number;
  looks: number;
  damaged: number;
}

export function emptyTally(): Tally {
  const counts = { turns: 0, kills: 0, powerCuts: 0, clockJumps: 0, fills: 0, flips: 0 };
  const done = { acknowledged: 0, removed: 0, refused: 0, full: 0, read: 0, sweptPacks: 0, copied: 0, voids: 0 };
  return { ...counts, ...done, looks: 0, damaged: 0 };
}

/** Every seed meets kills; the rest comes in all mixtures, and one seed in eight meets nothing but other programs. */
function weatherOf(seed: number): Weather {
  const dice = new Dice(seed ^ 0x5eed);
  if (dice.once(8)) return { killOnceIn: 0, powerCutOnceIn: 0, clockOnceIn: 0, fullOnceIn: 0, flipOnceIn: 0 };
  const maybe = (onceIn: number) => (dice.once(2) ? onceIn : 0);
  return {
    killOnceIn: maybe(400),
    powerCutOnceIn: maybe(600),
    clockOnceIn: maybe(300),
    fullOnceIn: maybe(400),
    flipOnceIn: dice.once(4) ? 500 : 0,
  };
}

class Play {
  readonly theatre: Theatre;
  readonly tally: Tally;
  /** Points somebody was told are safe, and their content. */
  readonly safe = new Map<string, Buffer>();
  readonly bug: Bug | null;

  constructor(seed: number, tally: Tally, bug: Bug | null) {
    this.theatre = new Theatre(seed, weatherOf(seed));
    this.tally = tally;
    this.bug = bug;
    this.theatre.onLook = () => this.lookAfterPowerCut();
    if (bug === 'no file is synced') this.theatre.lies = new Set(['sync']);
    if (bug === 'no folder is synced') this.theatre.lies = new Set(['syncFolder']);
  }

  /** Runs one program; being killed ends it, any other failure that is not told to be possible is the test's. */
  private async program(
    name: 'writer' | 'sweeper' | 'other',
    who: string,
    work: (vault: Vault, store: Store) => Promise<void>,
  ): Promise<void> {
    const actor = this.theatre.actor(who);
    let vault: Vault | null = null;
    try {
      const store = plant(await actor.store(), this.bug, name);
      vault = await openVaultIn(store, noConfig, none);
      await work(vault, store);
    } catch (cause) {
      if (actor.isDead()) return;
      const code = cause instanceof VaultError ? cause.code : 'other';
      this.theatre.note(`${who} fails: ${code} ${cause instanceof Error ? cause.message : ''}`);
      if (code === 'VAULT_SWEPT') this.tally.refused += 1;
      else if (code === 'VAULT_FULL' && this.theatre.counts.fills > 0) this.tally.full += 1;
      else if (!(this.theatre.flipped.size > 0 && isExcused(cause))) throw cause;
    } finally {
      await vault?.close();
    }
  }

  async backups(machineId: string, count: number): Promise<void> {
    const { dice } = this.theatre;
    for (let run = 0; run < count; run += 1) {
      const length = 4 + dice.roll(6);
      const content = Buffer.concat(Array.from({ length }, () => dice.pick(chunks) ?? Buffer.alloc(0)));
      await this.program('writer', machineId, async (vault, store) => {
        const begin = { machineId, compression: 'none' as const, expectedChunks: 100, now: () => new Date(this.theatre.nowMs) };
        const { header } = await writePoint(vault, store, content, { chunkBytes, packBytes: 5 * chunkBytes, begin });
        this.safe.set(header.id, content);
        this.tally.acknowledged += 1;
        this.theatre.note(`${machineId} is told that ${header.id.slice(0, 8)} is safe`);
      });
    }
  }

  async sweeps(who: string, count: number): Promise<void> {
    for (let run = 0; run < count; run += 1) {
      await this.program('sweeper', who, async (vault) => {
        const report = await vault.collectGarbage({ delayMs: this.theatre.dice.roll(2) * hourMs, youngMs: 0, leaseMs });
        this.tally.sweptPacks += report.swept?.packs ?? 0;
        this.tally.copied += report.marked?.copiedBytes ?? 0;
      });
    }
  }

  async removals(count: number): Promise<void> {
    for (let run = 0; run < count; run += 1) {
      await this.program('other', 'person', async (vault) => {
        const { points } = await vault.listPoints();
        const point = this.theatre.dice.pick(points);
        if (point === undefined || !this.safe.has(point.id)) return;
        // From the moment it is asked for until it is answered, the point may be there or not.
        this.safe.delete(point.id);
        await vault.removePoint(point.id);
        this.tally.removed += 1;
        this.theatre.note(`${point.id.slice(0, 8)} is removed`);
      });
    }
  }

  /** A reader meets right bytes or, where a bit flipped, an error; never a lack while others write and sweep. */
  async reads(count: number): Promise<void> {
    for (let run = 0; run < count; run += 1) {
      await this.program('other', 'reader', async (vault) => {
        const [id, content] = this.theatre.dice.pick([...this.safe]) ?? [];
        if (id === undefined || content === undefined) return;
        const read = await readPoint(vault, id).catch((cause: unknown) => {
          // Its removal may have begun meanwhile.
          if (!this.safe.has(id)) return null;
          throw cause;
        });
        if (read !== null && !read.equals(content)) throw new Error(`point ${id} reads as something else`);
        this.tally.read += 1;
      });
    }
  }

  async repairs(report: VerifyReport): Promise<void> {
    await this.program('other', 'repairer', async (vault) => {
      await vault.repair(report);
    });
  }

  private async open(disk: ModelDisk): Promise<Vault> {
    return openVaultIn(await directoryStore(folder, { create: false, files: disk.files() }), noConfig, none);
  }

  /** What somebody would find if the power went right now: on a copy, so that the play goes on undisturbed. */
  private async lookAfterPowerCut(): Promise<void> {
    this.tally.looks += 1;
    const disk = this.theatre.disk.copy();
    disk.roomBytes = Number.POSITIVE_INFINITY;
    disk.cutPower(this.theatre.dice.once(3) ? 'all' : new Dice(this.theatre.dice.roll(2 ** 31)));
    await this.check(disk);
  }

  /** Everything somebody was told is safe must be there; what nobody was told of may be there, whole. */
  async check(disk = this.theatre.disk): Promise<void> {
    const vault = await this.open(disk);
    const { points, unreadable } = await vault.listPoints();
    const { flipped } = this.theatre;
    const lost = unreadable.filter((name) => !flipped.has(name));
    if (lost.length > 0) throw new Error(`manifests cannot be read: ${lost.join(', ')}`);
    const listed = new Set(points.map((point) => point.id));
    for (const id of this.safe.keys()) {
      if (listed.has(id) || unreadable.some((name) => name.includes(id))) continue;
      throw new Error(`the acknowledged point ${id} is gone`);
    }
    let report: VerifyReport | null = null;
    for (const { id } of points) {
      const wanted = this.safe.get(id);
      const outcome = await readPoint(vault, id).then(
        (read) => (wanted === undefined || wanted.equals(read) ? 'whole' : 'other bytes'),
        (cause) => (cause instanceof VaultError ? cause.code : String(cause)),
      );
      if (outcome === 'whole') continue;
      if (outcome === 'POINT_DAMAGED' && wanted === undefined) {
        this.tally.voids += 1;
        continue;
      }
      report ??= await vault.verify({ level: 'content' });
      const named = report.damaged.some((one) => one.points.includes(id));
      if (flipped.size === 0 || !damageCodes.includes(outcome)) throw new Error(`point ${id} cannot be read: ${outcome}`);
      if (!named) throw new Error(`point ${id} cannot be read (${outcome}), and verify does not say so`);
      this.tally.damaged += 1;
    }
    await vault.close();
  }

  /** Verify finds nothing that is not so, and all that is: the flipped object, if it is still there. */
  async verify(): Promise<VerifyReport> {
    const vault = await this.open(this.theatre.disk);
    const report = await vault.verify({ level: 'content' });
    await vault.close();
    const { flipped, disk } = this.theatre;
    if (flipped.size === 0 && report.damaged.length > 0) {
      throw new Error(`verify names damage where there is none: ${JSON.stringify(report.damaged)}`);
    }
    for (const name of flipped) {
      const there = disk.paths().includes(`${folder}/${name}`);
      if (there && !report.damaged.some((one) => one.object === name)) throw new Error(`verify does not name ${name}`);
    }
    return report;
  }

  /** When all is calm, what was interrupted is cleaned up: at most its space was lost, and not for good. */
  async settle(): Promise<void> {
    this.theatre.settle();
    for (let round = 0; round < 4; round += 1) {
      this.theatre.nowMs += 48 * hourMs;
      await this.theatre.run([() => this.sweeps('sweeper', 1)]);
    }
    await this.check();
  }

  async leaveNothing(): Promise<void> {
    const vault = await this.open(this.theatre.disk);
    for (const { id } of (await vault.listPoints()).points) await vault.removePoint(id);
    await vault.close();
    this.safe.clear();
    await this.settle();
    const left = this.theatre.disk.paths().filter((path) => /^\/disk\/vault\/(packs|points|sessions)\//.test(path));
    if (left.length > 0) throw new Error(`garbage stays for good: ${left.join(', ')}`);
  }
}

async function acts(play: Play, seed: number): Promise<void> {
  const { theatre } = play;
  const store = await directoryStore(folder, { create: true, files: theatre.disk.files() });
  await (await createSample(store, { encryption: none })).close();
  await theatre.run([() => play.backups('pc-a', 2)]);
  await theatre.run([
    () => play.backups('pc-a', 2),
    () => play.backups('pc-b', 2),
    () => play.sweeps('sweeper', 4),
    () => (seed % 5 === 0 ? play.sweeps('sweeper 2', 2) : play.backups('pc-c', 1)),
    () => play.removals(3),
    () => play.reads(3),
  ]);
  await play.check();
  theatre.settle();
  const report = await play.verify();
  await theatre.run([() => play.repairs(report), () => play.backups('pc-a', 1)]);
  await play.settle();
  // A point that is damaged for good stops the sweeper until a person removes it.
  if (theatre.flipped.size > 0) return;
  await play.verify();
  if (seed % 4 === 0) await play.leaveNothing();
}

/** Plays one seed. @throws Error with the last calls when a promise was broken. */
export async function playSeed(seed: number, tally: Tally = emptyTally(), bug: Bug | null = null): Promise<string[]> {
  fixRandom(`seed ${seed}`);
  const play = new Play(seed, tally, bug);
  const { theatre } = play;
  try {
    await acts(play, seed);
  } catch (cause) {
    const trace = theatre.trace
      .filter((line) => !/: (get|head) /.test(line))
      .slice(-60)
      .map((line) => `    ${line}`);
    const what = cause instanceof Error ? `${cause.message}` : String(cause);
    const again = `play it again with: npm run test:faults -- --seed ${seed}`;
    throw new Error(`seed ${seed}: ${what}\n  the last calls:\n${trace.join('\n')}\n  ${again}`, { cause });
  } finally {
    for (const [key, value] of Object.entries(theatre.counts)) Object.assign(tally, { [key]: Reflect.get(tally, key) + value });
  }
  return theatre.trace;
}
