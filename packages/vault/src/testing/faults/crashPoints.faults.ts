/** Every call of a vault's life that changes the disk, as the last one before the power went or the process was killed. */
import { beforeAll, describe, expect, it } from 'vitest';
import { directoryStore } from '../../stores/directoryStore.ts';
import { createSample, noise, readPoint, writePoint } from '../sampleVault.ts';
import { checkPromises, folder, type Moment, openIn, recordLife, unlock } from './crashPoints.ts';
import { Dice } from './dice.ts';
import type { ModelDisk } from './modelDisk.ts';
import type { Loss } from './modelNodes.ts';
import { isLong } from './tier.ts';

const diceEach = isLong ? 40 : 2;
const hourMs = 3_600_000;

let moments: Moment[] = [];
beforeAll(async () => {
  moments = await recordLife();
});

/** The disk as the next program finds it. */
function after(moment: Moment, loss: Loss): { disk: ModelDisk; clock: { ms: number } } {
  const disk = moment.disk.copy();
  const clock = { ms: moment.nowMs };
  disk.clock = () => clock.ms;
  disk.cutPower(loss);
  return { disk, clock };
}

async function goOn(moment: Moment, loss: Loss): Promise<void> {
  const { disk, clock } = after(moment, loss);
  const found = await checkPromises(disk, moment.promises);
  if (found === null) {
    const store = await directoryStore(folder, { create: true, files: disk.files() });
    await (await createSample(store, { encryption: unlock })).close();
  } else await found.close();
  const { store, vault } = await openIn(disk);
  // The index was taken away on purpose in the last step: only rebuilding it mends that.
  if (moment.step !== 'repair') expect((await vault.verify({ level: 'content' })).damaged).toEqual([]);
  const content = noise('next', 20_000);
  const begin = { source: 'next', compression: 'none' as const, expectedChunks: 100 };
  const { header } = await writePoint(vault, store, content, { chunkBytes: 4096, begin });
  const safe = new Map([...moment.promises.safe, [header.id, content]]);
  expect((await readPoint(vault, header.id)).equals(content)).toBe(true);
  for (let run = 0; run < 3; run += 1) {
    clock.ms += 26 * hourMs;
    await vault.collectGarbage();
  }
  await vault.close();
  // All is as durable as it was said to be, the sweep too.
  disk.cutPower('all');
  const again = await openIn(disk);
  for (const [id, wanted] of safe) expect((await readPoint(again.vault, id)).equals(wanted)).toBe(true);
  expect((await again.vault.verify({ level: 'content' })).damaged).toEqual([]);
  await again.vault.close();
}

async function everywhere(losses: (number: number) => readonly Loss[]): Promise<number> {
  let looked = 0;
  for (const [number, moment] of moments.entries()) {
    if (moment.step === 'repair') continue;
    for (const [nth, loss] of losses(number).entries()) {
      await goOn(moment, loss).catch((cause: unknown) => {
        const what = `call ${number} of ${moments.length} (${moment.step}: ${moment.call}), way ${nth} of losing`;
        throw new Error(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      });
      looked += 1;
    }
  }
  return looked;
}

describe('a vault whose life ends at any call that changes the disk', () => {
  it('is a life with every kind of change in it', () => {
    const changes = new Set(moments.map(({ call }) => call.split(' ')[0]));
    for (const one of ['create', 'write', 'truncate', 'sync', 'syncFolder', 'mkdir', 'link', 'unlink'])
      expect(changes).toContain(one);
    expect(moments.length).toBeGreaterThan(300);
  });

  it('[F19] killed: promises are kept, the next backup works, garbage is collected', async () => {
    expect(await everywhere(() => ['none'])).toBeGreaterThan(300);
  }, 3_600_000);

  it('[F19] power cut, all that was not synced is lost', async () => {
    expect(await everywhere(() => ['all'])).toBeGreaterThan(300);
  }, 3_600_000);

  it('[F19] power cut, what was not synced is partly there, in pieces and in any order', async () => {
    const dice = (number: number) => Array.from({ length: diceEach }, (_, nth) => new Dice(number * 1000 + nth));
    expect(await everywhere(dice)).toBeGreaterThan(300 * diceEach);
  }, 36_000_000);
});
