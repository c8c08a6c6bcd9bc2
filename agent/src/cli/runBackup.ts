/** What the three backup commands have in common: options, the run itself, and what is printed. */
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { type BackupRequest, type BackupResult, backup, type Operation, startBackupThreadsEarly } from '@diskfleet/engine';
import type { StoreConfig } from '@diskfleet/vault';
import { backupMemory } from '../agent/backupMemory.ts';
import { readIdentity } from '../agent/identity.ts';
import { AgentError } from '../errors.ts';
import type { ChosenDisk } from '../inventory/chooseDisks.ts';
import { agentFolder } from '../inventory/settings.ts';
import { seriesOf, toBackUp } from '../jobs/backupJob.ts';
import { holdDisks } from '../jobs/holdDisks.ts';
import type { PlatformDisk } from '../platform/types.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import type { Args, Cli, CommandResult, OptionSpec } from './command.ts';
import { operationOf } from './operation.ts';
import { oneOf } from './parse.ts';
import { namedVault, openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

const volatileContents = ['pagefile', 'hibernation', 'swap'] as const;

export const backupOptions: Readonly<Record<string, OptionSpec>> = {
  ...vaultOptions,
  method: { type: 'string', value: 'METHOD', help: 'full, incremental or differential; default incremental.' },
  compression: { type: 'string', value: 'LEVEL', help: 'fast, balanced, best or none; default balanced.' },
  'leave-out': {
    type: 'string',
    value: 'LIST',
    help: 'Content no system reads after a restart: any of pagefile,hibernation,swap, or none; default all three.',
  },
  'sector-by-sector': { type: 'boolean', help: 'Save free space too, and leave nothing out of what is saved.' },
  cutter: {
    type: 'string',
    value: 'HOW',
    help: 'grid (by place on the disk) or files (file by file: the same files on another disk cost nothing); default by filesystem.',
  },
  'trust-metadata': {
    type: 'boolean',
    help: 'Do not read files whose times, size and place are those of the last point; 1 % of them is read to check. Goes with --cutter files.',
  },
  'allow-inconsistent': { type: 'boolean', help: 'Back up a disk in use that cannot be held still: half old, half new.' },
};

/** What the options say. */
interface Choices {
  readonly method: BackupRequest['method'];
  readonly compression: BackupRequest['compression'];
  readonly cutter?: 'grid' | 'files';
  readonly sectorBySector: boolean;
  readonly leaveOut: (typeof volatileContents)[number][];
}

/** Looked at before any disk is: wrong usage is told first. @throws AgentError `USAGE` */
export function choicesOf(args: Args): Choices {
  const method = oneOf(args.text('method'), ['incremental', 'full', 'differential'], '--method');
  const compression = oneOf(args.text('compression'), ['balanced', 'fast', 'best', 'none'], '--compression');
  const cutter = args.text('cutter') === null ? undefined : oneOf(args.text('cutter'), ['grid', 'files'], '--cutter');
  const sectorBySector = args.flag('sector-by-sector');
  return { method, compression, ...(cutter && { cutter }), sectorBySector, leaveOut: leaveOutOf(args, sectorBySector) };
}

export interface WantedBackup {
  readonly choices: Choices;
  readonly kind: BackupRequest['kind'];
  readonly disks: readonly ChosenDisk[];
  /** Absent: named after the disks. */
  readonly source?: string;
}

export async function runBackup(cli: Cli, args: Args, wanted: WantedBackup): Promise<CommandResult> {
  const early = startBackupThreadsEarly(wanted.disks.reduce((total, { disk }) => total + disk.sizeBytes, 0));
  try {
    return await backUp(cli, args, { ...wanted, early });
  } finally {
    early.end();
  }
}

async function backUp(cli: Cli, args: Args, wanted: WantedBackup & Pick<Operation, 'early'>): Promise<CommandResult> {
  const { kind, disks, choices, early } = wanted;
  const options = {
    allowInconsistent: args.flag('allow-inconsistent'),
    writesTo: vaultFolder(namedVault(cli, args)),
    keepFollowing: false,
  };
  const { result, warnings } = await withVault(await openVaultFor(cli, args, 'full'), async (vault) => {
    const held = await holdDisks(cli.platform(), disks, options);
    const { op, end } = operationOf(cli);
    const request = {
      kind,
      ...choices,
      trustMetadata: args.flag('trust-metadata'),
      disks: disks.map((one) => toBackUp(one, held)),
      ...(await machineOf(cli)),
      source: wanted.source ?? seriesOf(kind, disks, seriesName),
    };
    try {
      const memory = backupMemory(agentFolder(cli.env), { ...request, vaultId: vault.id });
      const made = await backup(vault, { ...request, memory }, { ...held.quiet(op), early }).finally(end);
      return { result: made, warnings: [...held.warnings, ...made.warnings] };
    } finally {
      held.close();
    }
  });
  return { json: documentOf(result, warnings), text: textOf(result), warnings };
}

/** @throws AgentError `USAGE` */
function leaveOutOf(args: Args, sectorBySector: boolean): (typeof volatileContents)[number][] {
  const text = args.text('leave-out');
  const words = text === null || text === 'none' ? [] : text.split(',');
  for (const word of words) {
    if (volatileContents.some((known) => known === word)) continue;
    throw new AgentError('USAGE', `--leave-out must be "none" or some of ${volatileContents.join(',')}, not "${word}"`);
  }
  if (sectorBySector && words.length > 0) throw new AgentError('USAGE', 'sector by sector nothing is left out: drop --leave-out');
  if (sectorBySector) return [];
  return volatileContents.filter((known) => text === null || words.includes(known));
}

/** The series goes on whether a backup comes from the console or from here: an enrolled PC keeps its id. */
async function machineOf(cli: Cli): Promise<{ machineId: string; machineName: string }> {
  const identity = await readIdentity(agentFolder(cli.env));
  const { hostname: name } = await cli.platform().machine();
  return { machineId: identity?.machineId ?? `host:${name || hostname()}`, machineName: name || hostname() };
}

function vaultFolder(place: StoreConfig): string[] {
  return place.kind === 'directory' ? [place.path] : [];
}

function seriesName(disk: PlatformDisk): string {
  return disk.bus === 'file' ? basename(disk.path) : disk.key;
}

function documentOf(
  { point, method, sourceBytes, usedBytes, readBytes, newBytes, storedBytes, seconds }: BackupResult,
  warnings: string[],
) {
  return {
    pointId: point.id,
    kind: point.kind,
    method,
    sourceBytes,
    usedBytes,
    readBytes,
    newBytes,
    storedBytes,
    seconds,
    warnings,
  };
}

function textOf({ point, method, usedBytes, newBytes, storedBytes, seconds }: BackupResult): string {
  const speed = seconds > 0 ? ` (${formatBytes(usedBytes / seconds)}/s)` : '';
  return [
    `Restore point ${point.id} (${method}) is made and durable.`,
    `Used ${formatBytes(usedBytes)}, new ${formatBytes(newBytes)}, stored ${formatBytes(storedBytes)}, in ${formatSeconds(seconds)}${speed}.`,
  ].join('\n');
}
