import type { BackupSelection } from '@diskfleet/engine';
import { cleanText } from '@diskfleet/protocol';
import { AgentError } from '../errors.ts';
import { type ChosenDisks, chooseDisks } from '../inventory/chooseDisks.ts';
import { findDisk, findPartition } from '../inventory/findDisk.ts';
import { agentFolder, readSettings } from '../inventory/settings.ts';
import { listDisks } from '../inventory/takeInventory.ts';
import type { PlatformDisk } from '../platform/types.ts';
import { formatBytes, formatTable } from '../words.ts';
import type { Args, Cli, Command, CommandResult } from './command.ts';
import { noMore, required } from './parse.ts';
import { backupOptions, choicesOf, runBackup } from './runBackup.ts';

const planOnly = { type: 'boolean', help: 'Show what would be taken and left out, and stop.' } as const;

export const backupDiskCommand: Command = {
  name: 'backup disk',
  group: 'Back up',
  summary: 'Save whole disks (or disk files) as one restore point.',
  usage: '<disk|file…> --vault FOLDER',
  details: `Stores what the partition tables and filesystems use; data the vault holds already is not stored again. "incremental" reads
everything and builds on the newest point of the same disk; without one it makes a full one. Interrupting is safe: what was
stored is used by the next run. A disk in use is saved as it is at one moment (Linux, as root): what is written meanwhile is read
again, and for the rest its volumes are held still for a fraction of a second.`,
  options: backupOptions,
  examples: [
    'diskfleet backup disk /dev/sda --vault /mnt/backup/vault',
    'diskfleet backup disk disk.img --vault vault --method full --json',
  ],
  async run(cli, args) {
    const choices = choicesOf(args);
    required(args.positionals[0], 'The disk or file');
    const disks = await findAll(cli, args.positionals);
    return runBackup(cli, args, { choices, kind: 'disk', disks: disks.map((disk) => ({ disk })) });
  },
};

export const backupSystemCommand: Command = {
  name: 'backup system',
  group: 'Back up',
  summary: 'Save what this PC needs to start and run, and leave its data out.',
  usage: '[--disk FILE…] --vault FOLDER [--plan-only]',
  details: `Chooses by itself: boot partitions (EFI, BIOS boot, /boot, System Reserved), every operating system on the disks this PC runs
from (two systems on one disk are both taken), what they mount below / except homes and data, swap space and recovery partitions.
Before it starts it says what it takes and what it leaves out, and why. /home on a partition of its own is data: it is LEFT OUT.
A restore keeps what was left out where the target has it. With --disk the system is looked for on those disks or files, at rest.`,
  options: {
    ...backupOptions,
    disk: { type: 'string', multiple: true, value: 'DISK', help: 'Look for the system on this disk or file; may be repeated.' },
    'plan-only': planOnly,
  },
  examples: [
    'diskfleet backup system --vault /mnt/backup/vault',
    'diskfleet backup system --disk pc.img --vault vault --plan-only --json',
  ],
  async run(cli, args) {
    choicesOf(args);
    noMore(args.positionals, 0);
    const named = await findAll(cli, args.list('disk'));
    const present =
      named.length > 0
        ? named
        : (await listDisks(cli.platform(), await readSettings(agentFolder(cli.env), { env: cli.env }))).disks;
    const { firmware } = await cli.platform().machine();
    const chosen = await chooseDisks(present, { kind: 'system', disks: named.map(({ key }) => ({ key })), firmware });
    const source =
      named.length === 0
        ? 'system'
        : `system:${named
            .map(({ name }) => name)
            .sort()
            .join('+')}`;
    return backUpChosen(cli, args, { chosen, kind: 'system', source });
  },
};

export const backupPartitionCommand: Command = {
  name: 'backup partition',
  group: 'Back up',
  summary: 'Save some partitions of a disk.',
  usage: '<disk|file> --partition N [--partition M] | <partition…> --vault FOLDER [--plan-only]',
  details: `Takes the content of these partitions, and always the partition table, the boot code and the gaps. A restore puts them back and
keeps the other partitions where the target has them. A partition's device (/dev/sda3) stands for its disk and number.`,
  options: {
    ...backupOptions,
    partition: { type: 'string', multiple: true, value: 'N', help: 'Number of a partition of the disk; may be repeated.' },
    'plan-only': planOnly,
  },
  examples: [
    'diskfleet backup partition /dev/sda --partition 1 --partition 3 --vault vault',
    'diskfleet backup partition /dev/sda3 --vault vault',
  ],
  async run(cli, args) {
    choicesOf(args);
    const disks = await partitionsOf(cli, args);
    const present = disks.map(({ disk }) => disk);
    const choice = disks.map(({ disk, partitions }) => ({ key: disk.key, partitions }));
    const chosen = await chooseDisks(present, { kind: 'partition', disks: choice });
    return backUpChosen(cli, args, { chosen, kind: 'partition' });
  },
};

async function findAll(cli: Cli, paths: readonly string[]): Promise<PlatformDisk[]> {
  const disks: PlatformDisk[] = [];
  for (const path of paths) disks.push(await findDisk(cli.platform(), path));
  return disks;
}

/** @throws AgentError `USAGE`, `DISK_NOT_FOUND`, `PARTITION_NOT_FOUND` */
async function partitionsOf(cli: Cli, args: Args): Promise<{ disk: PlatformDisk; partitions: number[] }[]> {
  const first = required(args.positionals[0], 'The disk, file or partition');
  const numbers = args.list('partition').map((text) => {
    if (!/^\d{1,4}$/.test(text)) throw new AgentError('USAGE', `--partition must be a number, not "${text}"`);
    return Number(text);
  });
  if (numbers.length > 0) {
    noMore(args.positionals, 1);
    return [{ disk: await findDisk(cli.platform(), first), partitions: unique(numbers) }];
  }
  const byKey = new Map<string, { disk: PlatformDisk; partitions: number[] }>();
  for (const path of args.positionals) {
    const found = await findPartition(cli.platform(), path);
    if (found === null) throw new AgentError('USAGE', `${path} is not a partition: say which of its partitions with --partition`);
    const known = byKey.get(found.disk.key)?.partitions ?? [];
    byKey.set(found.disk.key, { disk: found.disk, partitions: unique([...known, found.number]) });
  }
  return [...byKey.values()];
}

function unique(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((left, right) => left - right);
}

interface Chosen {
  readonly chosen: ChosenDisks;
  readonly kind: 'system' | 'partition';
  readonly source?: string;
}

/** What is taken and what is not is said before anything is read. */
async function backUpChosen(cli: Cli, args: Args, { chosen, kind, source }: Chosen): Promise<CommandResult> {
  const { selection, disks } = chosen;
  if (args.flag('plan-only')) return { json: planOf(selection), text: planText(selection) };
  if (!cli.json) await cli.stderr.write(`${planText(selection)}\n\n`);
  const { json, ...result } = await runBackup(cli, args, {
    choices: choicesOf(args),
    kind,
    disks,
    ...(source !== undefined && { source }),
  });
  const made = typeof json === 'object' ? json : {};
  return { ...result, json: { ...made, ...planOf(selection) } };
}

function planOf({ disks, leftOutDisks, includedBytes, leftOutBytes, warnings }: BackupSelection) {
  const parts = disks.flatMap(({ key, name, partitions }) =>
    partitions.map(({ included, ...about }) => ({ included, part: { disk: name, diskKey: key, ...about } })),
  );
  // A disk without a table is taken whole, and so has no partition to name.
  const whole = disks.filter(({ partitions }) => partitions.length === 0);
  return {
    included: [
      ...whole.map(({ key, name }) => ({
        disk: name,
        diskKey: key,
        number: 0,
        why: 'the whole disk: it has no partition table',
      })),
      ...parts.filter(({ included }) => included).map(({ part }) => part),
    ],
    leftOut: parts.filter(({ included }) => !included).map(({ part }) => part),
    leftOutDisks,
    includedBytes,
    leftOutBytes,
    notes: warnings,
  };
}

function planText({ disks, leftOutDisks, includedBytes, leftOutBytes }: BackupSelection): string {
  const rows = disks.flatMap(({ name, partitions }) =>
    partitions.length === 0
      ? [['takes', name, '', '', '', '', 'the whole disk: it has no partition table']]
      : partitions.map(({ included, number, label, filesystem, sizeBytes, why }) => [
          included ? 'takes' : 'LEAVES OUT',
          name,
          String(number),
          formatBytes(sizeBytes),
          filesystem ?? '',
          label,
          why,
        ]),
  );
  for (const { name, sizeBytes, why } of leftOutDisks) rows.push(['LEAVES OUT', name, '', formatBytes(sizeBytes), '', '', why]);
  const table = formatTable(
    ['', 'DISK', 'NO', 'SIZE', 'CONTENT', 'LABEL', 'WHY'],
    rows.map((row) => row.map((text) => cleanText(text))),
  );
  return `${table}\n\nIn use: ${formatBytes(includedBytes)} taken, ${formatBytes(leftOutBytes)} left out.`;
}
