/**
 * `npm run bench -- engine [runs]`: a whole disk (8 GiB: ESP, ext4 60 % full with stale free space, NTFS) into a vault, an
 * incremental after 1 % change, and back, beside the peers in the same run. Passes are interleaved, so that noise on the
 * machine hits all alike. Sources are read into the page cache before each full run; outputs go to the same disk.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bigDisk, changeDisk, makeDisk, windowsOf } from '../../e2e/images/disk.ts';
import { hasTool, isRoot, run, withLoop } from '../../e2e/images/tools.ts';
import { type Cost, measure } from '../measure.ts';
import { printTable, type Row, saveJson } from '../table.ts';
import { measureExplore } from './explore.ts';
import { type Places, type Step, stepsOf } from './steps.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const work = process.env.DISKFLEET_BENCH_FOLDER ?? join(tmpdir(), 'diskfleet-bench');
const out = join(work, 'out');
const disk = join(work, 'disk.img');
const pristine = join(work, 'pristine.img');
const places: Places = { disk, out };
const sourceBytes = bigDisk.sizeMib * (1 << 20);
const secrets = {
  DISKFLEET_PASSPHRASE: 'bench',
  DISKFLEET_AGENT_DATA: join(work, 'agent'),
  RESTIC_PASSWORD: 'bench',
  BORG_PASSPHRASE: 'bench',
  RESTIC_CACHE_DIR: join(work, 'restic-cache'),
  BORG_BASE_DIR: join(work, 'borg-base'),
  BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
};

async function main(runs: number): Promise<void> {
  if (!isRoot) throw new Error('this bench makes loop devices: run it as root');
  mkdirSync(out, { recursive: true });
  if (!existsSync(pristine)) {
    process.stderr.write('making the bench disk (about a minute)\n');
    await makeDisk(pristine, bigDisk);
  }
  await run('cp', ['--sparse=always', pristine, disk]);
  const [, ext, ntfs] = windowsOf(bigDisk);
  const costs = new Map<Step['script'], { step: Step; costs: Cost[]; outputBytes: number | null }>();
  for (let pass = 1; pass <= runs; pass++) {
    await onePass(pass, costs, { ext, ntfs });
  }
  const rows: Row[] = [...costs.values()].map(({ step, costs: all, outputBytes }) => ({
    operation: step.operation,
    tool: step.tool,
    costs: all,
    sourceBytes,
    outputBytes,
  }));
  printTable(`engine, ${runs} passes, ${new Date().toISOString().slice(0, 10)}`, rows, (row) =>
    rows.find((other) => other.operation === row.operation && other.tool.startsWith('restic')),
  );
  saveJson(join(root, 'bench/results'), 'engine', rows);
  await measureExplore(join(out, 'v'), secrets.DISKFLEET_PASSPHRASE);
  rmSync(out, { recursive: true, force: true });
}

async function onePass(
  pass: number,
  costs: Map<string, { step: Step; costs: Cost[]; outputBytes: number | null }>,
  windows: { ext: { offsetBytes: number; sizeBytes: number }; ntfs: { offsetBytes: number; sizeBytes: number } },
): Promise<void> {
  // Loop devices are attached only while partclone needs them, so that changes made through others are seen.
  const placeholder = stepsOf(places, { ext: 'EXT', ntfs: 'NTFS' });
  for (const [index, step] of placeholder.entries()) {
    if (step.needs && !hasTool(step.needs)) continue;
    if (step.changes === 'disk') await changeDisk(disk, bigDisk, pass);
    if (step.before) await measure(step.before, secrets);
    if (step.changes === 'target') await changeDisk(join(out, 't'), bigDisk, 1000 + pass);
    if (step.afterChange) await measure(step.afterChange, secrets);
    const cost = step.script.includes('-s EXT')
      ? await withLoop(disk, windows.ext, (extLoop) =>
          withLoop(disk, windows.ntfs, (ntfsLoop) =>
            measure(stepsOf(places, { ext: extLoop, ntfs: ntfsLoop })[index]?.script ?? '', secrets),
          ),
        )
      : await measure(step.script, secrets);
    const known = costs.get(`${step.operation} ${step.tool}`) ?? { step, costs: [], outputBytes: null };
    known.costs.push(cost);
    costs.set(`${step.operation} ${step.tool}`, { ...known, outputBytes: step.outputBytes() ?? known.outputBytes });
    process.stderr.write(
      `${pass} ${step.operation.padEnd(16)} ${step.tool.padEnd(26)} ${cost.wallSeconds.toFixed(2)} s, ${cost.cpuSeconds.toFixed(1)} CPU s, ${(cost.peakRssBytes / (1 << 20)).toFixed(0)} MiB\n`,
    );
  }
}

await main(Number(process.argv[2] ?? 3));
