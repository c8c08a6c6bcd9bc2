import { hostname } from 'node:os';
import { basename } from 'node:path';
import { type BackupResult, backup, type DiskToBackUp } from '@diskfleet/engine';
import type { StoreConfig } from '@diskfleet/vault';
import { backupMemory } from '../agent/backupMemory.ts';
import { readIdentity } from '../agent/identity.ts';
import { findDisk } from '../inventory/findDisk.ts';
import { agentFolder } from '../inventory/settings.ts';
import { type HeldDisks, holdDisks } from '../jobs/holdDisks.ts';
import type { PlatformDisk } from '../platform/types.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import type { Cli, Command } from './command.ts';
import { operationOf } from './operation.ts';
import { oneOf, required } from './parse.ts';
import { namedVault, openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

export const backupDiskCommand: Command = {
  name: 'backup disk',
  group: 'Back up',
  summary: 'Save whole disks (or disk files) as one restore point.',
  usage: '<disk|file…> --vault FOLDER',
  details: `Stores what the partition tables and filesystems use; data the vault holds already is not stored again. "incremental" reads
everything and builds on the newest point of the same disk; without one it makes a full one. Interrupting is safe: what was
stored is used by the next run. A disk in use is saved as it is at one moment (Linux, as root): what is written meanwhile is read
again, and for the rest its volumes are held still for a fraction of a second.`,
  options: {
    ...vaultOptions,
    method: { type: 'string', value: 'METHOD', help: 'full, incremental or differential; default incremental.' },
    compression: { type: 'string', value: 'LEVEL', help: 'fast, balanced, best or none; default balanced.' },
    'sector-by-sector': { type: 'boolean', help: 'Save free space too.' },
    cutter: {
      type: 'string',
      value: 'HOW',
      help: 'grid (by place on the disk) or files (file by file: the same files on another disk cost nothing); default by filesystem.',
    },
    'allow-inconsistent': { type: 'boolean', help: 'Back up a disk in use that cannot be held still: half old, half new.' },
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
    const cutter = args.text('cutter') === null ? undefined : oneOf(args.text('cutter'), ['grid', 'files'], '--cutter');
    const disks: PlatformDisk[] = [];
    for (const path of paths) disks.push(await findDisk(cli.platform(), path));
    const options = {
      allowInconsistent: args.flag('allow-inconsistent'),
      writesTo: vaultFolder(namedVault(cli, args)),
      keepFollowing: false,
    };
    const { result, warnings } = await withVault(await openVaultFor(cli, args, 'full'), async (vault) => {
      const held = await holdDisks(cli.platform(), disks, options);
      const { op, end } = operationOf(cli);
      const request = {
        kind: 'disk' as const,
        method,
        compression,
        ...(cutter && { cutter }),
        disks: disks.map((disk) => toBackUp(disk, held)),
        ...(await machineOf(cli)),
        source: disks.map(sourceName).sort().join('+'),
        sectorBySector: args.flag('sector-by-sector'),
      };
      try {
        const memory = backupMemory(agentFolder(cli.env), { ...request, vaultId: vault.id });
        const result = await backup(vault, { ...request, memory }, held.quiet(op)).finally(end);
        return { result, warnings: [...held.warnings, ...result.warnings] };
      } finally {
        held.close();
      }
    });
    return { json: documentOf(result, warnings), text: textOf(result), warnings };
  },
};

/** The series goes on whether a backup comes from the console or from here: an enrolled PC keeps its id. */
async function machineOf(cli: Cli): Promise<{ machineId: string; machineName: string }> {
  const identity = await readIdentity(agentFolder(cli.env));
  const { hostname: name } = await cli.platform().machine();
  return { machineId: identity?.machineId ?? `host:${name || hostname()}`, machineName: name || hostname() };
}

function toBackUp(disk: PlatformDisk, held: HeldDisks): DiskToBackUp {
  const { path, name, model, serial } = disk;
  return { path, name, model, serial, ...held.liveOf(disk) };
}

function vaultFolder(place: StoreConfig): string[] {
  return place.kind === 'directory' ? [place.path] : [];
}

function sourceName(disk: PlatformDisk): string {
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
