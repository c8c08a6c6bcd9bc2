/**
 * A test of the sweeper as a whole, in parts so that it uses all cores: two PCs back up while a sweeper sweeps, a person removes points, anything crashes, and clocks jump by hours so that sessions of
 * live runs count as dead. `DISKFLEET_GC_SEED=<n>` plays one seed again, `DISKFLEET_GC_SEEDS=<count>` plays more.
 */
import { describe, expect, it } from 'vitest';
import { VaultError } from '../errors.ts';
import { openVaultIn } from '../vault/openVault.ts';
import { createSample, noConfig, noise, readPoint, writePoint } from './sampleVault.ts';
import { Stage } from './stage.ts';

const seeds = Number(process.env.DISKFLEET_GC_SEEDS ?? 2000);
const only = process.env.DISKFLEET_GC_SEED;
const leaseMs = 30 * 60_000;
const none = { kind: 'none' } as const;
const chunkBytes = 256;

/** What points are made of: few different chunks, so that runs build on each other's and on those of removed points. */
const chunks = Array.from({ length: 24 }, (_, at) => noise(`chunk ${at}`, chunkBytes));

interface Tally {
  acknowledged: number;
  removed: number;
  refused: number;
  crashes: number;
  sweptPacks: number;
  copied: number;
  voids: number;
}

class World {
  readonly stage: Stage;
  /** Points somebody was told are safe, and their content. */
  readonly safe = new Map<string, Buffer>();
  readonly tally: Tally;
  constructor(seed: number, tally: Tally) {
    this.stage = new Stage(seed, { crashOnceIn: seed % 3 === 0 ? 0 : 120 });
    this.tally = tally;
  }

  /** Runs one program; a crash ends it, any other failure is the test's. */
  async program(work: (store: Stage['inner']) => Promise<void>, tolerated: readonly string[] = []): Promise<void> {
    const actor = this.stage.actor();
    try {
      await work({ ...actor.store, objects: this.stage.inner.objects });
    } catch (cause) {
      if (actor.crashed()) {
        this.tally.crashes += 1;
        return;
      }
      if (!(cause instanceof VaultError && tolerated.includes(cause.code))) throw cause;
      if (cause.code === 'VAULT_SWEPT') this.tally.refused += 1;
    }
  }

  async backups(machineId: string, count: number): Promise<void> {
    const { dice } = this.stage;
    for (let run = 0; run < count; run += 1) {
      const length = 4 + dice.roll(6);
      const content = Buffer.concat(Array.from({ length }, () => chunks[dice.roll(chunks.length)] ?? Buffer.alloc(0)));
      await this.program(
        async (store) => {
          const vault = await openVaultIn(store, noConfig, none);
          const begin = { machineId, compression: 'none' as const, expectedChunks: 100, now: () => new Date(this.stage.nowMs) };
          const { header } = await writePoint(vault, store, content, { chunkBytes, packBytes: 5 * chunkBytes, begin });
          this.safe.set(header.id, content);
          this.tally.acknowledged += 1;
        },
        ['VAULT_SWEPT'],
      );
    }
  }

  async sweeps(count: number): Promise<void> {
    for (let run = 0; run < count; run += 1) {
      await this.program(async (store) => {
        const vault = await openVaultIn(store, noConfig, none);
        const report = await vault.collectGarbage({ delayMs: this.stage.dice.roll(2) * 3_600_000, youngMs: 0, leaseMs });
        this.tally.sweptPacks += report.swept?.packs ?? 0;
        this.tally.copied += report.marked?.copiedBytes ?? 0;
      });
    }
  }

  async removals(count: number): Promise<void> {
    for (let run = 0; run < count; run += 1) {
      await this.program(async (store) => {
        const vault = await openVaultIn(store, noConfig, none);
        const { points } = await vault.listPoints();
        const point = points[this.stage.dice.roll(Math.max(1, points.length))];
        if (point === undefined || !this.safe.has(point.id)) return;
        this.safe.delete(point.id);
        this.tally.removed += 1;
        await vault.removePoint(point.id);
      });
    }
  }

  /** Everything somebody was told is safe must be there; what nobody was told of may be there, whole. */
  async check(): Promise<void> {
    const vault = await openVaultIn(this.stage.inner, noConfig, none);
    const { points, unreadable } = await vault.listPoints();
    expect(unreadable).toEqual([]);
    const listed = new Set(points.map((point) => point.id));
    for (const [id, content] of this.safe) {
      expect(listed.has(id)).toBe(true);
      expect((await readPoint(vault, id)).equals(content)).toBe(true);
    }
    for (const { id } of points) {
      if (this.safe.has(id)) continue;
      const outcome = await readPoint(vault, id).then(
        () => 'whole',
        (cause) => (cause instanceof VaultError ? cause.code : 'other'),
      );
      if (outcome === 'POINT_DAMAGED') this.tally.voids += 1;
      else expect(outcome).toBe('whole');
    }
  }

  async settle(): Promise<void> {
    this.stage.calm();
    for (let round = 0; round < 4; round += 1) {
      this.stage.nowMs += 48 * 3_600_000;
      await this.stage.run([() => this.sweeps(1)]);
      await this.check();
    }
  }
}

async function play(seed: number, tally: Tally): Promise<void> {
  const world = new World(seed, tally);
  await createSample(world.stage.inner, { encryption: none });
  await world.stage.run([() => world.backups('pc-a', 2)]);
  await world.stage.run([
    () => world.backups('pc-a', 2),
    () => world.backups('pc-b', 2),
    () => world.sweeps(4),
    () => world.removals(3),
  ]);
  await world.check();
  await world.settle();
  if (seed % 20 !== 0) return;
  // When all points are gone, so is everything they were made of.
  const vault = await openVaultIn(world.stage.inner, noConfig, none);
  for (const { id } of (await vault.listPoints()).points) await vault.removePoint(id);
  world.safe.clear();
  await world.settle();
  const left = [...world.stage.inner.objects.keys()].filter((name) => /^(packs|points|sessions)\//.test(name));
  expect(left).toEqual([]);
}

/** Plays every `parts`-th seed, from `part` on. */
export function gcModel(part: number, parts: number): void {
  describe('sweeping while others write', () => {
    const title = `[F24]–[F28] loses no acknowledged point in ${only === undefined ? `part ${part + 1} of ${parts} of ${seeds} orders of events` : `the order of seed ${only}`}`;
    it(title, { timeout: 600_000 }, async () => {
      const tally: Tally = { acknowledged: 0, removed: 0, refused: 0, crashes: 0, sweptPacks: 0, copied: 0, voids: 0 };
      const first = only === undefined ? part : Number(only);
      const end = only === undefined ? seeds : first + 1;
      const count = (end - first) / parts;
      for (let seed = first; seed < end; seed += parts) {
        await play(seed, tally).catch((cause: unknown) => {
          throw new Error(`seed ${seed} (play it again with DISKFLEET_GC_SEED=${seed})`, { cause });
        });
      }
      if (process.env.DISKFLEET_GC_TALLY !== undefined) console.log(JSON.stringify(tally));
      if (count < 500) return;
      // The orders that matter did come up.
      for (const times of [tally.acknowledged, tally.removed, tally.refused, tally.crashes, tally.sweptPacks, tally.copied]) {
        expect(times).toBeGreaterThan(count / 100);
      }
    });
  });
}
