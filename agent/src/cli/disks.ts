import type { InventoryDisk } from '@diskfleet/protocol';
import { agentFolder, readSettings } from '../inventory/settings.ts';
import { describeDisks, listDisks } from '../inventory/takeInventory.ts';
import { formatBytes, formatTable } from '../words.ts';
import type { Command } from './command.ts';
import { noMore } from './parse.ts';

export const disksCommand: Command = {
  name: 'disks',
  group: 'Look',
  summary: 'List the disks of this PC, their partitions and filesystems.',
  usage: '[--json]',
  details: `Shows every disk this user may read, and the files offered as disks in the agent's settings. Needs root for real disks.
The marks in the last column say why a disk would not be overwritten by a restore.`,
  options: {},
  examples: ['diskfleet disks', 'diskfleet disks --json | jq ".[].path"'],
  async run(cli, args) {
    noMore(args.positionals, 0);
    const { view, disks } = await listDisks(cli.platform(), await readSettings(agentFolder(cli.env), { env: cli.env }));
    const described = await describeDisks(disks);
    if (view.limitation !== null) await cli.stderr.write(`${view.limitation}\n`);
    return { json: described, text: described.length === 0 ? 'No disks were found.' : tableOf(described) };
  },
};

function tableOf(disks: readonly InventoryDisk[]): string {
  const rows = disks.flatMap((disk) => [
    [disk.path, disk.model, disk.serial, formatBytes(disk.sizeBytes), disk.table ?? disk.filesystem?.kind ?? '', marks(disk)],
    ...disk.partitions.map((partition) => [
      `  ${partition.number}`,
      partition.name || partition.typeName,
      partition.filesystem?.label ?? '',
      formatBytes(partition.sizeBytes),
      partition.filesystem?.kind ?? '',
      partition.mountPoint ?? '',
    ]),
  ]);
  return formatTable(['DISK', 'MODEL', 'SERIAL / LABEL', 'SIZE', 'CONTENT', 'IN USE'], rows);
}

function marks(disk: InventoryDisk): string {
  return [disk.busyReason, disk.readOnly ? 'write-protected' : null, ...disk.warnings].filter((mark) => mark !== null).join('; ');
}
