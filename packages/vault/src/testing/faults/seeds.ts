/** Plays many seeds, in parts so that several processes share them. */
import { describe, expect, it } from 'vitest';
import { emptyTally, playSeed } from './play.ts';
import { isLong, onlySeed } from './tier.ts';

const seeds = isLong ? 100_000 : 2000;

/** Plays every `parts`-th seed, from `part` on. */
export function playPart(part: number, parts: number): void {
  describe.skipIf(onlySeed !== null)('a vault in bad weather', () => {
    it(`keeps all promises in part ${part + 1} of ${parts} of ${seeds} seeds`, async () => {
      const tally = emptyTally();
      for (let seed = part; seed < seeds; seed += parts) await playSeed(seed, tally);
      process.stdout.write(`${JSON.stringify(tally)}\n`);
      // What matters did happen; points that came too late are rare in any order.
      const { turns: _, voids: __, ...often } = tally;
      for (const [what, times] of Object.entries(often)) expect(times, what).toBeGreaterThan(seeds / parts / 25);
    }, 36_000_000);
  });
}
