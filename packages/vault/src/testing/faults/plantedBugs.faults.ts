/** Would the simulation find a bug if there were one? Each of these it must. */
import { describe, expect, it } from 'vitest';
import { bugs } from './plantedBugs.ts';
import { emptyTally, playSeed } from './play.ts';
import { onlySeed } from './tier.ts';

const patience = 600;

describe.skipIf(onlySeed !== null)('a vault with a bug', () => {
  it.each(bugs)('%s: is found', async (bug) => {
    let found = '';
    for (let seed = 0; seed < patience && found === ''; seed += 1) {
      await playSeed(seed, emptyTally(), bug).catch((cause: unknown) => {
        found = cause instanceof Error ? cause.message : String(cause);
      });
    }
    expect(found).toMatch(/^seed \d+: (?!no program goes on)/);
    expect(found).toMatch(/gone|no restore point|cannot be read|reads as|lost|needs chunk|does not open|damage/);
  });
});
