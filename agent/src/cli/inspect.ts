import { openFileDevice } from '@diskfleet/disk';
import { type DiskLayout, readLayout } from '@diskfleet/engine';
import { formatBytes, formatTable } from '../words.ts';
import type { Command } from './command.ts';
import { noMore, required } from './parse.ts';

export const inspectCommand: Command = {
  name: 'inspect',
  group: 'Look',
  summary: 'Show the partition table and filesystems of a disk or disk file.',
  usage: '<disk|file> [--json]',
  details: `Reads the table (GPT or MBR) and the header of every filesystem with our own readers; nothing is mounted and nothing written.
What does not add up is named as a warning, and the exit code is then 3.`,
  options: {},
  examples: ['diskfleet inspect /dev/sda', 'diskfleet inspect disk.img --json'],
  async run(_cli, args) {
    const path = required(args.positionals[0], 'The disk or file');
    noMore(args.positionals, 1);
    const device = await openFileDevice(path);
    try {
      const layout = await readLayout(device);
      return { json: documentOf(layout), text: textOf(path, layout), warnings: layout.warnings };
    } finally {
      await device.close();
    }
  },
};

function documentOf({ sizeBytes, table, tableId, sectorBytes, partitions, filesystem, fingerprint, warnings }: DiskLayout) {
  return { sizeBytes, table, tableId, sectorBytes, partitions, filesystem, fingerprint, warnings };
}

function textOf(path: string, layout: DiskLayout): string {
  const head = `${path}: ${formatBytes(layout.sizeBytes)}, ${layout.table ?? 'no partition table'}, sectors of ${layout.sectorBytes} bytes`;
  const only = layout.filesystem;
  const volumes =
    layout.partitions.length === 0 && only !== null
      ? [{ number: 0, startBytes: 0, sizeBytes: layout.sizeBytes, typeName: '', name: '', filesystem: only }]
      : layout.partitions;
  if (volumes.length === 0) return head;
  const rows = volumes.map(({ number, startBytes, sizeBytes, typeName, name, filesystem }) => [
    String(number),
    formatBytes(startBytes),
    formatBytes(sizeBytes),
    typeName,
    name,
    filesystem?.kind ?? 'unknown',
    filesystem?.label ?? '',
    filesystem === null ? '' : formatBytes(filesystem.usedBytes),
    filesystem === null ? '' : filesystem.clean ? 'clean' : 'not clean',
  ]);
  return `${head}\n\n${formatTable(['NO', 'START', 'SIZE', 'TYPE', 'NAME', 'FILESYSTEM', 'LABEL', 'USED', 'STATE'], rows)}`;
}
