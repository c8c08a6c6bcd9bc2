import { hostname } from 'node:os';
import { basename } from 'node:path';
import { type BackupResult, backup, type DiskToBackUp } from '@diskfleet/engine';
import { readIdentity } from '../agent/identity.ts';
import { findDisk } from '../inventory/findDisk.ts';
import { agentFolder } from '../inventory/settings.ts';
import type { PlatformDisk } from '../platform/types.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import type { Cli, Command } from './command.ts';
import { operationOf } from './operation.ts';
import { oneOf, required } from './parse.ts';
import { openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

export const backupDiskCommand: Command = {
  name: 'backup disk',
  group: 'Back up',
  summary: 'Save whole disks (or disk files) as one restore point.',
  usage: '<disk|file…> --vault FOLDER',
  details: `Stores what the partition tables and filesystems use; data the vault holds already is not stored again. "incremental" reads
everything and builds on the newest point of the same disk; without one it makes a full one. Interrupting is safe: what was
stored is used by the next run.`,
  options: {
    ...vaultOptions,
    method: { type: 'string', value: 'METHOD', help: 'full, incremental or differential; default incremental.' },
    compression: { type: 'string', value: 'LEVEL', help: 'fast, balanced, best or none; default balanced.' },
    'sector-by-sector': { type: 'boolean', help: 'Save free space too.' },
  },
  examples: [
    'diskfleet backup disk /dev/sda --vault /mnt/backup/vault',
    'diskfleet backup disk disk.img --vault vault --method full --json',
  ],
  async run(cli, args) {
    const paths = args.positionals;
    required(paths[0], 'The disk or file');
    const method = oneOf(args.text('method'), ['incremental', 'full', 'differential'], '--method');
    const compression = oneOf(args.text('compression'), ['balanced', 'fast', 'best', 'none'], '--compression');
    const disks: PlatformDisk[] = [];
    for (const path of paths) disks.push(await findDisk(cli.platform(), path));
    const live = disks.flatMap(liveWarning);
    const result = await withVault(await openVaultFor(cli, args, 'full'), async (vault) => {
      const { op, end } = operationOf(cli);
      const request = {
        kind: 'disk' as const,
        method,
        compression,
        disks: disks.map(toBackUp),
        ...(await machineOf(cli)),
        source: disks.map(sourceName).sort().join('+'),
        sectorBySector: args.flag('sector-by-sector'),
      };
      return backup(vault, request, op).finally(end);
    });
    const warnings = [...live, ...result.warnings];
    return { json: documentOf(result, warnings), text: textOf(result), warnings };
  },
};

/** The series goes on whether a backup comes from the console or from here: an enrolled PC keeps its id. */
async function machineOf(cli: Cli): Promise<{ machineId: string; machineName: string }> {
  const identity = await readIdentity(agentFolder(cli.env));
  const { hostname: name } = await cli.platform().machine();
  return { machineId: identity?.machineId ?? `host:${name || hostname()}`, machineName: name || hostname() };
}

function toBackUp({ path, name, model, serial }: PlatformDisk): DiskToBackUp {
  return { path, name, model, serial };
}

function sourceName(disk: PlatformDisk): string {
  return disk.bus === 'file' ? basename(disk.path) : disk.key;
}

function liveWarning({ name, use }: PlatformDisk): string[] {
  if (use.mounts.length === 0) return [];
  return [`${name} is in use (${use.busyReason}): what changes while it is read may be saved half old, half new`];
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
