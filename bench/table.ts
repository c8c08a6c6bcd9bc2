/** Collects rows and prints them as one Markdown table and one JSON file: medians over the runs, best in brackets. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Cost, median } from './measure.ts';

export interface Row {
  readonly operation: string;
  readonly tool: string;
  readonly costs: readonly Cost[];
  /** What the rate counts: bytes of the source. */
  readonly sourceBytes: number;
  readonly outputBytes: number | null;
}

const mib = (bytes: number) => (bytes / (1 << 20)).toFixed(0);

export function medianWall(row: Row): number {
  return median(row.costs.map((cost) => cost.wallSeconds));
}

export function printTable(title: string, rows: readonly Row[], baseline: (row: Row) => Row | undefined): void {
  const lines = rows.map((row) => {
    const walls = row.costs.map((cost) => cost.wallSeconds);
    const wall = median(walls);
    const other = baseline(row);
    const ratio = other && other !== row ? `${(medianWall(other) / wall).toFixed(2)} ×` : '';
    const cells = [
      row.operation,
      row.tool.replaceAll('|', '\\|'),
      `${wall.toFixed(2)} (${Math.min(...walls).toFixed(2)})`,
      (row.sourceBytes / 1e6 / wall).toFixed(0),
      median(row.costs.map((cost) => cost.cpuSeconds)).toFixed(1),
      mib(Math.max(...row.costs.map((cost) => cost.peakRssBytes))),
      row.outputBytes === null ? '' : mib(row.outputBytes),
      ratio,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  process.stdout.write(
    `\n### ${title}\n\n| operation | tool | wall s, median (best) | MB/s of source | CPU s | peak RSS MiB | output MiB | × restic |\n|---|---|---|---|---|---|---|---|\n${lines.join('\n')}\n`,
  );
}

export function saveJson(folder: string, name: string, rows: readonly Row[]): void {
  mkdirSync(folder, { recursive: true });
  const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, node: process.version, date: new Date().toISOString() };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ machine, rows }, null, 2)}\n`);
}
