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
import { allocatedBytes, type Cost, measure } from '../measure.ts';
import { printTable, type Row, saveJson } from '../table.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const work = process.env.DISKFLEET_BENCH_FOLDER ?? join(tmpdir(), 'diskfleet-bench');
const out = join(work, 'out');
const disk = join(work, 'disk.img');
const pristine = join(work, 'pristine.img');
const cli = `${process.execPath} ${join(root, 'agent/dist/diskfleet.js')}`;
const secrets = {
  DISKFLEET_PASSPHRASE: 'bench',
  RESTIC_PASSWORD: 'bench',
  BORG_PASSPHRASE: 'bench',
  RESTIC_CACHE_DIR: join(work, 'restic-cache'),
  BORG_BASE_DIR: join(work, 'borg-base'),
  BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
};

interface Step {
  readonly operation: string;
  readonly tool: string;
  readonly before?: string;
  readonly script: string;
  readonly needs?: string;
  /** Changes the disk by a round first: incrementals only make sense once per round. */
  readonly changesDisk?: boolean;
  readonly outputBytes: () => number | null;
}

const sourceBytes = bigDisk.sizeMib * (1 << 20);
const warm = `cat ${disk} > /dev/null`;

const size = (name: string) => () => (existsSync(join(out, name)) ? allocatedBytes(join(out, name)) : null);
const none = () => null;
interface Loops {
  readonly ext: string;
  readonly ntfs: string;
}

function steps(loops: Loops): Step[] {
  return [...fullSteps(loops), ...incrementalSteps(), ...restoreSteps()];
}

function fullSteps(loops: Loops): Step[] {
  const operation = 'full';
  const borgFixed = `borg create -C zstd,1 --chunker-params fixed,4194304 --sparse --read-special ${out}/bf::a{now:%s%f} ${disk}`;
  const partclone = `partclone.ext4 -q -c -s ${loops.ext} -o - -L ${out}/pc.log | zstd -1 -T2 -q > ${out}/p/ext; partclone.ntfs -q -c -s ${loops.ntfs} -o - -L ${out}/pc.log | zstd -1 -T2 -q > ${out}/p/ntfs`;
  return [
    {
      operation,
      tool: 'diskfleet',
      before: `rm -rf ${out}/v; ${cli} vault create ${out}/v --json; ${warm}`,
      script: `${cli} backup disk ${disk} --vault ${out}/v --json`,
      outputBytes: size('v'),
    },
    {
      operation,
      tool: 'restic stdin',
      needs: 'restic',
      before: `rm -rf ${out}/r; restic init -q -r ${out}/r; ${warm}`,
      script: `restic -q -r ${out}/r backup --stdin --stdin-filename disk.img < ${disk}`,
      outputBytes: size('r'),
    },
    {
      operation,
      tool: 'borg stdin zstd,1',
      needs: 'borg',
      before: `rm -rf ${out}/b; borg init -e repokey-blake2 ${out}/b; ${warm}`,
      script: `borg create -C zstd,1 ${out}/b::a{now:%s%f} - < ${disk}`,
      outputBytes: size('b'),
    },
    {
      operation,
      tool: 'borg fixed 4M zstd,1',
      needs: 'borg',
      before: `rm -rf ${out}/bf; borg init -e repokey-blake2 ${out}/bf; ${warm}`,
      script: borgFixed,
      outputBytes: size('bf'),
    },
    {
      operation,
      tool: 'partclone | zstd -1 -T2',
      needs: 'partclone.ext4',
      before: `rm -rf ${out}/p; mkdir -p ${out}/p; ${warm}`,
      script: partclone,
      outputBytes: size('p'),
    },
    {
      operation,
      tool: 'dd | zstd -1 -T2',
      before: `rm -rf ${out}/d; mkdir -p ${out}/d; ${warm}`,
      script: `dd if=${disk} bs=1M status=none | zstd -1 -T2 -q > ${out}/d/z`,
      outputBytes: size('d'),
    },
  ];
}

function incrementalSteps(): Step[] {
  const operation = 'incremental 1 %';
  const borg = `borg create --files-cache disabled -C zstd,1 --chunker-params fixed,4194304 --sparse --read-special ${out}/bf::a{now:%s%f} ${disk}`;
  return [
    {
      operation,
      tool: 'diskfleet',
      changesDisk: true,
      before: warm,
      script: `${cli} backup disk ${disk} --vault ${out}/v --method incremental --json`,
      outputBytes: size('v'),
    },
    {
      operation,
      tool: 'restic stdin',
      needs: 'restic',
      before: warm,
      script: `restic -q -r ${out}/r backup --stdin --stdin-filename disk.img < ${disk}`,
      outputBytes: size('r'),
    },
    { operation, tool: 'borg fixed 4M zstd,1', needs: 'borg', before: warm, script: borg, outputBytes: size('bf') },
  ];
}

function restoreSteps(): Step[] {
  const operation = 'restore';
  const plan = `${cli} restore latest --to ${out}/t --vault ${out}/v --plan-only --json | ${process.execPath} -p 'JSON.parse(require("fs").readFileSync(0)).planHash'`;
  const partclone = `zstd -dqc ${out}/p/ext | partclone.ext4 -q -r -s - -W -O ${out}/t -L ${out}/pc.log; zstd -dqc ${out}/p/ntfs | partclone.ntfs -q -r -s - -W -O ${out}/t2 -L ${out}/pc.log; sync ${out}/t ${out}/t2`;
  return [
    {
      operation,
      tool: 'diskfleet',
      before: `rm -f ${out}/t`,
      script: `${cli} restore latest --to ${out}/t --vault ${out}/v --confirm "$(${plan})" --json; sync ${out}/t`,
      outputBytes: none,
    },
    {
      operation,
      tool: 'restic dump',
      needs: 'restic',
      before: `rm -f ${out}/t`,
      script: `restic -q -r ${out}/r dump latest disk.img > ${out}/t; sync ${out}/t`,
      outputBytes: none,
    },
    {
      operation,
      tool: 'borg fixed 4M zstd,1',
      needs: 'borg',
      before: `rm -f ${out}/t`,
      script: `borg extract --sparse --stdout ${out}/bf::$(borg list --last 1 --short ${out}/bf) > ${out}/t; sync ${out}/t`,
      outputBytes: none,
    },
    {
      operation,
      tool: 'zstd -d | partclone',
      needs: 'partclone.ext4',
      before: `rm -f ${out}/t*; truncate -s ${bigDisk.extMib}M ${out}/t; truncate -s ${bigDisk.ntfsMib}M ${out}/t2`,
      script: partclone,
      outputBytes: none,
    },
  ];
}

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
  rmSync(out, { recursive: true, force: true });
}

async function onePass(
  pass: number,
  costs: Map<string, { step: Step; costs: Cost[]; outputBytes: number | null }>,
  windows: { ext: { offsetBytes: number; sizeBytes: number }; ntfs: { offsetBytes: number; sizeBytes: number } },
): Promise<void> {
  // Loop devices are attached only while partclone needs them, so that changes made through others are seen.
  const placeholder = steps({ ext: 'EXT', ntfs: 'NTFS' });
  for (const [index, step] of placeholder.entries()) {
    if (step.needs && !hasTool(step.needs)) continue;
    if (step.changesDisk) await changeDisk(disk, bigDisk, pass);
    if (step.before) await measure(step.before, secrets);
    const cost = step.script.includes('-s EXT')
      ? await withLoop(disk, windows.ext, (extLoop) =>
          withLoop(disk, windows.ntfs, (ntfsLoop) =>
            measure(steps({ ext: extLoop, ntfs: ntfsLoop })[index]?.script ?? '', secrets),
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
