/** `npm run test:faults -- --seed N` */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { playSeed } from './play.ts';
import { onlySeed } from './tier.ts';

describe('the simulation', () => {
  it('plays a seed twice alike, call for call', async () => {
    const [first, second] = [await playSeed(onlySeed ?? 7), await playSeed(onlySeed ?? 7)];
    expect(first.length).toBeGreaterThan(100);
    expect(second).toEqual(first);
    const file = process.env.DISKFLEET_FAULT_TRACE;
    if (file !== undefined) writeFileSync(file, `${first.join('\n')}\n`);
  });
});
