/**
 * `npm run bench -- dedup`: the same system on five disks, laid out differently, with own files on each: what a vault weighs after
 * each disk. DISKFLEET_DEDUP_MIB sets how much system there is (600 by default; the published figures: 3000), a tenth of it is own data;
 * DISKFLEET_DEDUP_DISKS how many disks.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasTool, isRoot } from '../../e2e/images/tools.ts';
import { allocatedBytes, measure } from '../measure.ts';
import { type DedupPlan, makeDisks } from './disks.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const systemMib = Number(process.env.DISKFLEET_DEDUP_MIB ?? 600);
const disksWanted = Number(process.env.DISKFLEET_DEDUP_DISKS ?? 5);
const plan: DedupPlan = { disks: disksWanted, systemMib, ownMib: Math.round(systemMib / 10) };
const work = join(process.env.DISKFLEET_BENCH_FOLDER ?? join(tmpdir(), 'diskfleet-bench'), `dedup-${systemMib}-${disksWanted}`);
const cli = `${process.execPath} ${join(root, 'agent/dist/diskfleet.js')}`;
const secrets = {
  DISKFLEET_PASSPHRASE: 'bench',
  RESTIC_PASSWORD: 'bench',
  BORG_PASSPHRASE: 'bench',
  RESTIC_CACHE_DIR: join(work, 'restic-cache'),
  BORG_BASE_DIR: join(work, 'borg-base'),
  BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
};
const repository = (name: string) => join(work, `repository-${name}`);

interface Tool {
  readonly name: string;
  readonly needs?: string;
  readonly folder: string;
  readonly begin: string;
  readonly store: (disk: string) => string;
}

function diskfleet(cutter: 'grid' | 'files'): Tool {
  const folder = repository(cutter);
  return {
    name: `diskfleet, ${cutter}`,
    folder,
    begin: `${cli} vault create ${folder} --json`,
    store: (disk) => `${cli} backup disk ${disk} --vault ${folder} --method full --cutter ${cutter} --json`,
  };
}

const tools: readonly Tool[] = [
  diskfleet('grid'),
  diskfleet('files'),
  {
    name: 'restic stdin',
    needs: 'restic',
    folder: repository('restic'),
    begin: `restic init -q -r ${repository('restic')}`,
    store: (disk) => `restic -q -r ${repository('restic')} backup --stdin --stdin-filename disk.img < ${disk}`,
  },
  {
    name: 'borg stdin zstd,1',
    needs: 'borg',
    folder: repository('borg'),
    begin: `borg init -e repokey-blake2 ${repository('borg')}`,
    store: (disk) => `borg create -C zstd,1 ${repository('borg')}::a{now:%s%f} - < ${disk}`,
  },
];

interface Result {
  readonly tool: string;
  /** Weight of the repository after each disk. */
  readonly bytesAfter: readonly number[];
  readonly seconds: readonly number[];
  readonly peakRssBytes: number;
}

async function runTool(tool: Tool, disks: readonly string[]): Promise<Result> {
  rmSync(tool.folder, { recursive: true, force: true });
  await measure(tool.begin, secrets);
  const bytesAfter: number[] = [];
  const seconds: number[] = [];
  let peakRssBytes = 0;
  for (const disk of disks) {
    const cost = await measure(tool.store(disk), secrets);
    bytesAfter.push(allocatedBytes(tool.folder));
    seconds.push(cost.wallSeconds);
    peakRssBytes = Math.max(peakRssBytes, cost.peakRssBytes);
    process.stderr.write(`${tool.name.padEnd(20)} ${cost.wallSeconds.toFixed(1)} s, ${mib(bytesAfter.at(-1) ?? 0)} MiB\n`);
  }
  rmSync(tool.folder, { recursive: true, force: true });
  return { tool: tool.name, bytesAfter, seconds, peakRssBytes };
}

const mib = (bytes: number) => Math.round(bytes / (1 << 20));

function print(results: readonly Result[], title: string): void {
  const head = `| tool | ${Array.from({ length: plan.disks }, (_, index) => `after disk ${index + 1}`).join(' | ')} | MiB per further disk | s, all disks | peak RSS MiB |`;
  const lines = results.map(({ tool, bytesAfter, seconds, peakRssBytes }) => {
    const added = ((bytesAfter.at(-1) ?? 0) - (bytesAfter[0] ?? 0)) / (bytesAfter.length - 1);
    const sum = seconds.reduce((total, one) => total + one, 0);
    return `| ${[tool, ...bytesAfter.map(mib), mib(added), sum.toFixed(0), mib(peakRssBytes)].join(' | ')} |`;
  });
  const rule = `|---${'|---'.repeat(plan.disks + 3)}|`;
  process.stdout.write(`\n### ${title}\n\nWeight of the vault in MiB.\n\n${[head, rule, ...lines].join('\n')}\n`);
}

async function main(): Promise<void> {
  if (!isRoot) throw new Error('this bench makes loop devices: run it as root');
  mkdirSync(work, { recursive: true });
  const disks = Array.from({ length: plan.disks }, (_, index) => join(work, `disk${index + 1}.img`));
  process.stderr.write('making the disks\n');
  for (const disk of disks) rmSync(disk, { force: true });
  const { systemBytes, files } = await makeDisks(disks, plan);
  const results: Result[] = [];
  for (const tool of tools) if (!tool.needs || hasTool(tool.needs)) results.push(await runTool(tool, disks));
  const date = new Date().toISOString();
  print(
    results,
    `dedup: ${files} system files, ${mib(systemBytes)} MiB, on ${plan.disks} disks with ${plan.ownMib} MiB of their own each, ${date.slice(0, 10)}`,
  );
  const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, node: process.version, date };
  const folder = join(root, 'bench/results');
  if (!existsSync(folder)) mkdirSync(folder);
  writeFileSync(join(folder, 'dedup.json'), `${JSON.stringify({ machine, plan, systemBytes, files, results }, null, 2)}\n`);
  for (const disk of disks) rmSync(disk, { force: true });
}

await main();
