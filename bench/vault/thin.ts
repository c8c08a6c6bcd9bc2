/**
 * `thin.ts VAULT COUNT`: deletes the oldest points and gives back their space, both steps of the sweeper at once. The wait between mark
 * and sweep and the protection of young packs are set to nothing, which the command does not offer: a vault in use needs both.
 */
import { setTimeout } from 'node:timers/promises';
import { openVault } from '@diskfleet/vault';

const [path = '', count = '0'] = process.argv.slice(2);
const vault = await openVault(
  { kind: 'directory', path },
  { kind: 'passphrase', passphrase: process.env.DISKFLEET_PASSPHRASE ?? '' },
);
const { points } = await vault.listPoints();
const going = points.slice(0, Number(count));
for (let at = 0; at < going.length; at += 16) await Promise.all(going.slice(at, at + 16).map(({ id }) => vault.removePoint(id)));
const options = { delayMs: 0, youngMs: 0 };
const { marked } = await vault.collectGarbage(options);
let swept: { packs: number } | null = null;
let waits = 0;
while (marked !== null && swept === null) {
  const report = await vault.collectGarbage(options);
  swept = report.swept;
  if (report.waiting === 'delay' || report.waiting === 'clock') throw new Error(`the sweeper waits: ${report.waiting}`);
  // A backup that began before the mark is still running: it goes on, the sweeper waits.
  if (report.waiting === 'session') await setTimeout(50);
  waits += report.waiting === 'session' ? 1 : 0;
}
await vault.close();
process.stdout.write(`${JSON.stringify({ marked, sweptPacks: swept?.packs ?? 0, waits })}\n`);
