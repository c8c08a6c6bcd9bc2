/**
 * `npm run bench -- vault [part …] [passes]`: what a vault costs beside restic and borg, as whole processes, the tools in turn. Parts:
 * verify, points, gc, service (HTTP before a folder), dedup (ten PCs with the same system); all when none is named. Sizes: DISKFLEET_VAULT_POINTS,
 * DISKFLEET_VAULT_DISK_MIB, DISKFLEET_VAULT_MIB, DISKFLEET_DEDUP_MIB.
 */
import { measureGc } from './gc.ts';
import { makeRepositories, measureListing } from './points.ts';
import { type Figure, report, save } from './report.ts';
import { measureService } from './service.ts';
import { measureVerify } from './verify.ts';

/** A part measures and returns its figures; one that draws a table of its own returns none. */
const parts: Readonly<Record<string, (passes: number) => Promise<Figure[]>>> = {
  verify: measureVerify,
  points: async (passes) => measureListing(await makeRepositories(), passes),
  gc: async (passes) => measureGc(await makeRepositories(), passes),
  service: measureService,
  async dedup() {
    process.env.DISKFLEET_DEDUP_DISKS ??= '10';
    await import('../dedup/main.ts');
    return [];
  },
};

async function main(words: readonly string[]): Promise<void> {
  const passes = Number(words.find((word) => /^\d+$/.test(word)) ?? 3);
  const named = words.filter((word) => !/^\d+$/.test(word));
  const unknown = named.find((word) => !Object.hasOwn(parts, word));
  if (unknown !== undefined) throw new Error(`no part is called ${unknown}: ${Object.keys(parts).join(', ')}`);
  const all: Figure[] = [];
  for (const [name, measurePart] of Object.entries(parts)) {
    if (named.length > 0 && !named.includes(name)) continue;
    const figures = await measurePart(passes);
    if (figures.length > 0) report(`vault, ${name}, ${passes} passes, ${new Date().toISOString().slice(0, 10)}`, figures);
    all.push(...figures);
  }
  save(all);
}

await main(process.argv.slice(2));
