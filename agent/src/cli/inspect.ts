import { openFileDevice } from '@diskfleet/disk';
import { type DiskLayout, type LayoutFilesystem, type LayoutPartition, readLayout } from '@diskfleet/engine';
import { formatBytes, formatTable } from '../words.ts';
import type { Command } from './command.ts';
import { noMore, required } from './parse.ts';

export const inspectCommand: Command = {
  name: 'inspect',
  group: 'Look',
  summary: 'Show the partition table and filesystems of a disk or disk file.',
  usage: '<disk|file> [--json]',
  details: `Reads the table (GPT or MBR), the header of every filesystem and the logical volumes of LVM with our own readers; nothing is
mounted and nothing written. USED is what the filesystem itself says; what we do not read (encrypted volumes, RAID…) counts as
full, as a backup takes all of it. What does not add up is named as a warning, and the exit code is then 3.`,
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

const HEADER = ['NO', 'START', 'SIZE', 'TYPE', 'NAME', 'CONTENT', 'LABEL', 'UUID', 'USED', 'STATE'];
/** Of the columns of numbers. */
const RIGHT = new Set([0, 1, 2, 8]);

function textOf(path: string, layout: DiskLayout): string {
  const table = layout.table === null ? 'no partition table' : `${layout.table.toUpperCase()} ${layout.tableId ?? ''}`.trimEnd();
  const head = `${path}: ${formatBytes(layout.sizeBytes)}, ${table}, sectors of ${layout.sectorBytes} bytes`;
  const rows =
    layout.table === null && layout.filesystem !== null
      ? rowsOf({ number: 0, startBytes: 0, sizeBytes: layout.sizeBytes, typeName: '', name: '', filesystem: layout.filesystem })
      : layout.partitions.flatMap(rowsOf);
  if (rows.length === 0) return layout.table === null ? `${head}\nNothing on it that we know.` : `${head}\nNo partitions.`;
  return [head, '', formatTable(...aligned(HEADER, rows)), ...restOf(layout)].join('\n');
}

type Volume = Pick<LayoutPartition, 'number' | 'startBytes' | 'sizeBytes' | 'typeName' | 'name' | 'filesystem'>;

/** One line for the volume, and one for each logical volume on it. */
function rowsOf({ number, startBytes, sizeBytes, typeName, name, filesystem }: Volume): string[][] {
  const inner = (filesystem?.volumes ?? []).map((volume) => [
    '',
    '',
    formatBytes(volume.sizeBytes),
    volume.type,
    volume.name,
    ...contentCells(volume.filesystem),
  ]);
  const own = [String(number), formatBytes(startBytes), formatBytes(sizeBytes), typeName, name, ...contentCells(filesystem)];
  return [own, ...inner];
}

function contentCells(filesystem: LayoutFilesystem | null): string[] {
  if (filesystem === null) return ['unknown', '', '', '', ''];
  const { kind, label, uuid, totalBytes, usedBytes, clean, details } = filesystem;
  const share = totalBytes > 0 ? ` ${String(Math.round((usedBytes / totalBytes) * 100)).padStart(3)} %` : '';
  const state = clean === null ? (details ?? '') : clean ? 'clean' : 'NOT CLEAN';
  return [kind, label, uuid, `${formatBytes(usedBytes)}${share}`, state];
}

/** Columns nobody has anything in are left out. */
function aligned(header: readonly string[], rows: readonly (readonly string[])[]): [string[], string[][]] {
  const kept = header.map((_, column) => column).filter((column) => rows.some((row) => (row[column] ?? '') !== ''));
  const all = [header, ...rows].map((row) => kept.map((column) => row[column] ?? ''));
  const widths = kept.map((_, index) => Math.max(...all.map((row) => (row[index] ?? '').length)));
  const padded = all.map((row) =>
    row.map((cell, index) => (RIGHT.has(kept[index] ?? -1) ? cell.padStart(widths[index] ?? 0) : cell)),
  );
  return [padded[0] ?? [], padded.slice(1)];
}

/** What lies in no partition, tables and gaps for alignment included. */
function restOf({ table, sizeBytes, partitions }: DiskLayout): string[] {
  if (table === null) return [];
  let [free, end] = [0, 0];
  for (const { startBytes, sizeBytes: length } of [...partitions].sort((left, right) => left.startBytes - right.startBytes)) {
    free += Math.max(0, startBytes - end);
    end = Math.max(end, startBytes + length);
  }
  return ['', `In no partition: ${formatBytes(free + Math.max(0, sizeBytes - end))}`];
}
