import type { PointHeader } from '@diskfleet/vault';
import { formatBytes, formatTable } from '../words.ts';
import type { Command } from './command.ts';
import { noMore } from './parse.ts';
import { openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

export const pointsCommand: Command = {
  name: 'points',
  group: 'Restore',
  summary: 'List the restore points of a vault, newest first.',
  usage: '--vault FOLDER [--json]',
  details: 'Needs no key. A point whose manifest cannot be read is named as a warning, and the exit code is then 3.',
  options: vaultOptions,
  examples: ['diskfleet points --vault /mnt/backup/vault'],
  async run(cli, args) {
    noMore(args.positionals, 0);
    const { points, unreadable } = await withVault(await openVaultFor(cli, args, 'list'), (vault) => vault.listPoints());
    const newestFirst = [...points].reverse();
    return {
      json: newestFirst.map(documentOf),
      text: newestFirst.length === 0 ? 'The vault holds no restore point yet.' : tableOf(newestFirst),
      warnings: unreadable.map((name) => `the manifest ${name} cannot be read; \`diskfleet verify\` says why`),
    };
  },
};

function documentOf({
  id,
  kind,
  method,
  machineName,
  source,
  createdAt,
  sizeBytes,
  usedBytes,
  newBytes,
  storedBytes,
}: PointHeader) {
  // Pins, comments and verify results live on the server: a vault alone knows none.
  const unknown = { pinned: false, comment: '', verified: null };
  return { id, kind, method, machine: machineName, source, createdAt, sizeBytes, usedBytes, newBytes, storedBytes, ...unknown };
}

function tableOf(points: readonly PointHeader[]): string {
  const rows = points.map((point) => [
    point.id,
    point.createdAt.replace('T', ' ').slice(0, 19),
    `${point.machineName}/${point.source}`,
    `${point.kind}, ${point.method}`,
    formatBytes(point.sizeBytes),
    formatBytes(point.usedBytes),
    formatBytes(point.storedBytes),
  ]);
  return formatTable(['POINT', 'MADE (UTC)', 'OF', 'KIND', 'SIZE', 'USED', 'ADDED'], rows);
}
