import { describe, expect, it } from 'vitest';
import { orders, playOrder, setScene } from './interleave.ts';
import type { Bug } from './plantedBugs.ts';
import { isLong, onlySeed } from './tier.ts';

const wanted = 5000;
const caught: Bug[] = [
  'writers never look for a fence',
  'writers do not look again behind their manifest',
  'the sweeper does not read newer manifests',
];

/** How many calls each program makes when nothing comes between. */
async function callsAlone(scene: Awaited<ReturnType<typeof setScene>>) {
  return (await playOrder(scene, { first: 'writer a', firstCalls: 0, second: 'sweeper', secondCalls: 0 })).calls;
}

describe.skipIf(onlySeed !== null)('two writers and a sweeper', () => {
  it(`[F26] lose no acknowledged point in ${isLong ? 'all' : `an even part of more than ${wanted}`} orders with four switches`, async () => {
    const scene = await setScene();
    const calls = await callsAlone(scene);
    const total = [...orders(calls, 1)].length;
    const step = isLong ? 1 : Math.floor(total / (wanted * 1.05));
    const distinct = new Set<string>();
    const often = { none: 0, one: 0, both: 0, swept: 0 };
    for (const order of orders(calls, step)) {
      const played = await playOrder(scene, order).catch((cause: unknown) => {
        throw new Error(`in the order ${JSON.stringify(order)}: ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        });
      });
      distinct.add(played.hash);
      const told = played.acknowledged === 0 ? 'none' : played.acknowledged === 1 ? 'one' : 'both';
      often[told] += 1;
      if (played.sweptPacks > 0) often.swept += 1;
    }
    process.stdout.write(`${distinct.size} distinct orders of ${total}: ${JSON.stringify(often)}\n`);
    expect(distinct.size).toBeGreaterThanOrEqual(wanted);
    for (const times of [often.one, often.both, often.swept]) expect(times).toBeGreaterThan(distinct.size / 100);
  }, 36_000_000);

  it.each(caught)('with the bug "%s" some order loses one', async (bug) => {
    const scene = await setScene();
    const calls = await callsAlone(scene);
    let lost = 0;
    for (const order of orders(calls, 23)) {
      await playOrder(scene, order, bug).catch((cause: unknown) => {
        lost += /acknowledged|cannot be read/.test(cause instanceof Error ? cause.message : '') ? 1 : 0;
      });
      if (lost > 0) break;
    }
    expect(lost).toBeGreaterThan(0);
  });
});
