/**
 * A vault with many points and a restic repository with as many snapshots of the very same bytes: a disk of which a little changes
 * before each. Ours are made in this process, restic's by its command, which takes about a second each.
 */
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createVault } from '@diskfleet/vault';
import { noise, seeded } from '../../e2e/images/content.ts';
import { type Cost, measure } from '../measure.ts';
import type { Figure } from './report.ts';
import { cli, hasPeer, passphrase, place, secrets, sizes, sourceFile, work } from './setting.ts';
import { type CellIds, storePoint, touch } from './storePoint.ts';

/** Changed before each point, in places of 64 KiB. */
const changesPerPoint = 12;
const changeBytes = 64 << 10;
const diskBytes = sizes.diskMib * (1 << 20);

export interface Repositories {
  readonly ours: string;
  /** Null where there is no restic. */
  readonly restic: string | null;
  /** The disk as the newest point has it. */
  readonly disk: string;
}

/** What a PC writes between two backups: half of it is worth compressing. */
function change(disk: string, round: number, cells: CellIds): void {
  const random = seeded(`round ${round}`);
  const file = openSync(disk, 'r+');
  for (let at = 0; at < changesPerPoint; at += 1) {
    const bytes = noise(changeBytes, `${round} ${at}`);
    bytes.fill(`round ${round} `, changeBytes / 2);
    const offsetBytes = Math.floor((random() * diskBytes) / changeBytes) * changeBytes;
    writeSync(file, bytes, 0, bytes.length, offsetBytes);
    touch(cells, offsetBytes, bytes.length);
  }
  closeSync(file);
}

/** Makes both, or takes those an earlier run of the same size left. */
export async function makeRepositories(): Promise<Repositories> {
  mkdirSync(work, { recursive: true });
  const tag = `${sizes.points}-${sizes.diskMib}`;
  const [ours, disk, done] = [place(`points-diskfleet-${tag}`), place(`points-${tag}.img`), place(`points-${tag}.done`)];
  const restic = hasPeer('restic') ? place(`points-restic-${tag}`) : null;
  const wanted = restic === null ? 'diskfleet' : 'diskfleet, restic';
  if (existsSync(done) && (await readFile(done, 'utf8')) === wanted) return { ours, restic, disk };
  for (const path of [ours, disk, restic ?? disk]) rmSync(path, { recursive: true, force: true });
  copyFileSync(await sourceFile('disk', sizes.diskMib), disk);
  const vault = await createVault({ kind: 'directory', path: ours }, { encryption: { kind: 'passphrase', passphrase } });
  if (restic !== null) await measure(`restic init -q -r ${restic}`, secrets);
  const cells: CellIds = { ids: [] };
  try {
    for (let round = 0; round < sizes.points; round += 1) {
      if (round > 0) change(disk, round, cells);
      await storePoint(vault, { path: disk, sizeBytes: diskBytes }, cells, timeOf(round));
      if (restic !== null)
        await measure(
          `restic -q -r ${restic} backup --stdin --stdin-filename disk.img --time "${resticTime(round)}" < ${disk}`,
          secrets,
        );
      if (round % 50 === 0) process.stderr.write(`${round} of ${sizes.points} points made\n`);
    }
  } finally {
    await vault.close();
  }
  await writeFile(done, wanted);
  return { ours, restic, disk };
}

function timeOf(round: number): Date {
  return new Date(Date.UTC(2026, 0, 1) + round * 3_600_000);
}

function resticTime(round: number): string {
  return timeOf(round).toISOString().slice(0, 19).replace('T', ' ');
}

export async function measureListing(repositories: Repositories, passes: number): Promise<Figure[]> {
  const lines: { tool: string; script: string }[] = [
    { tool: 'diskfleet points', script: `${cli} points --vault ${repositories.ours} --json > /dev/null` },
  ];
  if (repositories.restic !== null)
    lines.push({ tool: 'restic snapshots', script: `restic -q -r ${repositories.restic} snapshots --json > /dev/null` });
  const costs = new Map<string, Cost[]>();
  for (let pass = 0; pass < passes; pass += 1) {
    for (const { tool, script } of lines) costs.set(tool, [...(costs.get(tool) ?? []), await measure(script, secrets)]);
  }
  return lines.map(({ tool }) => ({
    operation: 'list the points',
    tool,
    costs: costs.get(tool) ?? [],
    note: `${sizes.points} points`,
  }));
}
