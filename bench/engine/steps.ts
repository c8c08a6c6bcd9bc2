/** What is measured, as shell lines over one folder: every tool does the same job on the same bytes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bigDisk } from '../../e2e/images/disk.ts';
import { allocatedBytes } from '../measure.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = `${process.execPath} ${join(root, 'agent/dist/diskfleet.js')}`;

export interface Places {
  /** The disk that is backed up. */
  readonly disk: string;
  /** Where everything is written. */
  readonly out: string;
}

export interface Step {
  readonly operation: string;
  readonly tool: string;
  readonly before?: string;
  /** What comes between the change and the measurement. */
  readonly afterChange?: string;
  readonly script: string;
  readonly needs?: string;
  /** Which file is changed by 1 % first: the disk before an incremental, the target before it is rolled back. */
  readonly changes?: 'disk' | 'target';
  readonly outputBytes: () => number | null;
}

const none = () => null;

const size = (out: string, name: string) => () => (existsSync(join(out, name)) ? allocatedBytes(join(out, name)) : null);

export interface Loops {
  readonly ext: string;
  readonly ntfs: string;
}

export function stepsOf(places: Places, loops: Loops): Step[] {
  return [
    ...ourFullSteps(places),
    ...fullSteps(places, loops),
    ...incrementalSteps(places),
    ...restoreSteps(places),
    ...rollbackSteps(places),
  ];
}

const warmed = (disk: string) => `cat ${disk} > /dev/null`;

function ourFullSteps({ disk, out }: Places): Step[] {
  const full = (vault: string, options: string) => ({
    before: `rm -rf ${out}/${vault}; ${cli} vault create ${out}/${vault} --json; ${warmed(disk)}`,
    script: `${cli} backup disk ${disk} --vault ${out}/${vault} ${options} --method full --json`,
    outputBytes: size(out, vault),
  });
  return [
    { operation: 'full', tool: 'diskfleet', ...full('v', '') },
    { operation: 'full', tool: 'diskfleet --cutter files', ...full('vf', '--cutter files') },
    {
      operation: 'full',
      tool: 'zstd -1 -T2 alone, used bytes',
      before: `mkdir -p ${out}/u; ${process.execPath} ${join(root, 'bench/engine/used.ts')} ${disk} ${out}/used; cat ${out}/used > /dev/null`,
      script: `zstd -1 -T2 -q -c ${out}/used > ${out}/u/z`,
      outputBytes: size(out, 'u'),
    },
  ];
}

function fullSteps({ disk, out }: Places, loops: Loops): Step[] {
  const warm = warmed(disk);
  const operation = 'full';
  const borgFixed = `borg create -C zstd,1 --chunker-params fixed,4194304 --sparse --read-special ${out}/bf::a{now:%s%f} ${disk}`;
  const partclone = `partclone.ext4 -q -c -s ${loops.ext} -o - -L ${out}/pc.log | zstd -1 -T2 -q > ${out}/p/ext; partclone.ntfs -q -c -s ${loops.ntfs} -o - -L ${out}/pc.log | zstd -1 -T2 -q > ${out}/p/ntfs`;
  return [
    {
      operation,
      tool: 'restic stdin',
      needs: 'restic',
      before: `rm -rf ${out}/r; restic init -q -r ${out}/r; ${warm}`,
      script: `restic -q -r ${out}/r backup --stdin --stdin-filename disk.img < ${disk}`,
      outputBytes: size(out, 'r'),
    },
    {
      operation,
      tool: 'borg stdin zstd,1',
      needs: 'borg',
      before: `rm -rf ${out}/b; borg init -e repokey-blake2 ${out}/b; ${warm}`,
      script: `borg create -C zstd,1 ${out}/b::a{now:%s%f} - < ${disk}`,
      outputBytes: size(out, 'b'),
    },
    {
      operation,
      tool: 'borg fixed 4M zstd,1',
      needs: 'borg',
      before: `rm -rf ${out}/bf; borg init -e repokey-blake2 ${out}/bf; ${warm}`,
      script: borgFixed,
      outputBytes: size(out, 'bf'),
    },
    {
      operation,
      tool: 'partclone | zstd -1 -T2',
      needs: 'partclone.ext4',
      before: `rm -rf ${out}/p; mkdir -p ${out}/p; ${warm}`,
      script: partclone,
      outputBytes: size(out, 'p'),
    },
    {
      operation,
      tool: 'dd | zstd -1 -T2',
      before: `rm -rf ${out}/d; mkdir -p ${out}/d; ${warm}`,
      script: `dd if=${disk} bs=1M status=none | zstd -1 -T2 -q > ${out}/d/z`,
      outputBytes: size(out, 'd'),
    },
  ];
}

function incrementalSteps({ disk, out }: Places): Step[] {
  const warm = warmed(disk);
  const operation = 'incremental 1 %';
  const borg = `borg create --files-cache disabled -C zstd,1 --chunker-params fixed,4194304 --sparse --read-special ${out}/bf::a{now:%s%f} ${disk}`;
  return [
    {
      operation,
      tool: 'diskfleet',
      changes: 'disk',
      before: warm,
      script: `${cli} backup disk ${disk} --vault ${out}/v --method incremental --json`,
      outputBytes: size(out, 'v'),
    },
    {
      operation,
      tool: 'diskfleet --cutter files',
      before: warm,
      script: `${cli} backup disk ${disk} --vault ${out}/vf --cutter files --method incremental --json`,
      outputBytes: size(out, 'vf'),
    },
    {
      operation,
      tool: 'restic stdin',
      needs: 'restic',
      before: warm,
      script: `restic -q -r ${out}/r backup --stdin --stdin-filename disk.img < ${disk}`,
      outputBytes: size(out, 'r'),
    },
    { operation, tool: 'borg fixed 4M zstd,1', needs: 'borg', before: warm, script: borg, outputBytes: size(out, 'bf') },
  ];
}

/** People look at the plan before they confirm it, so making it is not part of the restore. */
const planned = (out: string, vault: string) =>
  `${cli} restore latest --to ${out}/t --vault ${out}/${vault} --plan-only --json | ${process.execPath} -p 'JSON.parse(require("fs").readFileSync(0)).planHash' > ${out}/plan`;

const restored = (out: string, vault: string) =>
  `${cli} restore latest --to ${out}/t --vault ${out}/${vault} --confirm "$(cat ${out}/plan)" --json; sync ${out}/t`;

function rollbackSteps({ out }: Places): Step[] {
  const operation = 'rollback 1 %';
  const before = `rm -f ${out}/t; ${planned(out, 'v')}; ${restored(out, 'v')}`;
  return [
    {
      operation,
      tool: 'diskfleet',
      changes: 'target',
      before,
      afterChange: planned(out, 'v'),
      script: restored(out, 'v'),
      outputBytes: none,
    },
  ];
}

function restoreSteps({ out }: Places): Step[] {
  const operation = 'restore';
  const partclone = `zstd -dqc ${out}/p/ext | partclone.ext4 -q -r -s - -W -O ${out}/t -L ${out}/pc.log; zstd -dqc ${out}/p/ntfs | partclone.ntfs -q -r -s - -W -O ${out}/t2 -L ${out}/pc.log; sync ${out}/t ${out}/t2`;
  return [
    {
      operation,
      tool: 'diskfleet',
      before: `rm -f ${out}/t; ${planned(out, 'v')}`,
      script: restored(out, 'v'),
      outputBytes: none,
    },
    {
      operation,
      tool: 'diskfleet --cutter files',
      before: `rm -f ${out}/t; ${planned(out, 'vf')}`,
      script: restored(out, 'vf'),
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
