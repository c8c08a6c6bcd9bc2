/**
 * A vault with many points and a restic repository with as many snapshots of the very same bytes: a disk of which a little changes
 * before each. Made by the real engine in this process, and by restic's command, which takes about a second each.
 */
import { copyFileSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { backup } from '@diskfleet/engine';
import { createVault } from '@diskfleet/vault';
import { noise, seeded } from '../../e2e/images/content.ts';
import { hasTool } from '../../e2e/images/tools.ts';
import { type Cost, measure } from '../measure.ts';
import type { Figure } from './report.ts';
import { cli, passphrase, place, secrets, sizes, sourceFile, work } from './setting.ts';

/** Changed before each point, in places of 64 KiB. */
const changesPerPoint = 12;
const changeBytes = 64 << 10;

export interface Repositories {
  readonly ours: string;
  /** Null where there is no restic. */
  readonly restic: string | null;
  /** The disk as the newest point has it. */
  readonly disk: string;
}

/** What a PC writes between two backups: half of it is worth compressing. */
function change(disk: string, round: number): void {
  const random = seeded(`round ${round}`);
  const file = openSync(disk, 'r+');
  for (let at = 0; at < changesPerPoint; at += 1) {
    const bytes = noise(changeBytes, `${round} ${at}`);
    bytes.fill(`round ${round} `, changeBytes / 2);
    const place = Math.floor(random() * (sizes.diskMib * 16)) * (64 << 10);
    writeSync(file, bytes, 0, bytes.length, Math.min(place, sizes.diskMib * (1 << 20) - changeBytes));
  }
}

async function oneOfOurs(vault: Awaited<ReturnType<typeof createVault>>, disk: string, startedAt: Date): Promise<void> {
  const request = {
    ...{ kind: 'disk' as const, method: 'incremental' as const, compression: 'balanced' as const, sectorBySector: false },
    ...{ machineId: 'bench', machineName: 'bench', source: 'disk' },
    disks: [{ path: disk, name: 'disk', model: '', serial: 'disk' }],
  };
  await backup(vault, request, { now: () => startedAt });
}

/** Makes both, or takes those an earlier run of the same size left. */
export async function makeRepositories(): Promise<Repositories> {
  mkdirSync(work, { recursive: true });
  const tag = `${sizes.points}-${sizes.diskMib}`;
  const [ours, disk, done] = [place(`points-diskfleet-${tag}`), place(`points-${tag}.img`), place(`points-${tag}.done`)];
  const restic = hasTool('restic') ? place(`points-restic-${tag}`) : null;
  const wanted = restic === null ? 'diskfleet' : 'diskfleet, restic';
  if (existsSync(done) && (await readFile(done, 'utf8')) === wanted) return { ours, restic, disk };
  for (const path of [ours, disk, restic ?? disk]) rmSync(path, { recursive: true, force: true });
  copyFileSync(await sourceFile('disk', sizes.diskMib), disk);
  const vault = await createVault({ kind: 'directory', path: ours }, { encryption: { kind: 'passphrase', passphrase } });
  if (restic !== null) await measure(`restic init -q -r ${restic}`, secrets);
  try {
    for (let round = 0; round < sizes.points; round += 1) {
      if (round > 0) change(disk, round);
      await oneOfOurs(vault, disk, new Date(Date.UTC(2026, 0, 1) + round * 3_600_000));
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

function resticTime(round: number): string {
  return new Date(Date.UTC(2026, 0, 1) + round * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
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
