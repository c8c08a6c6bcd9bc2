/** What the vault benches found: one table and bench/results/vault.json. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Cost, median } from '../measure.ts';
import { root, sizes } from './setting.ts';

export interface Figure {
  /** What was done, the same words for all tools that did it. */
  readonly operation: string;
  readonly tool: string;
  readonly costs: readonly Cost[];
  /** What else is worth knowing: weight before and after, whether it succeeded. */
  readonly note?: string;
}

/** A promise the project made about one of our figures. */
interface Target {
  readonly operation: string;
  readonly tool: string;
  readonly timesRestic?: number;
  readonly seconds?: number;
}

const targets: readonly Target[] = [
  { operation: 'check every stored byte', tool: 'diskfleet verify --data', timesRestic: 3 },
  { operation: 'list the points', tool: 'diskfleet points', seconds: 1 },
  { operation: 'delete half, give back the space', tool: 'diskfleet', timesRestic: 2 },
];
const rssLimitMib = 300;

/** NaN for what never succeeded. */
const wallOf = (figure: Figure) => median(figure.costs.map((cost) => cost.wallSeconds));
const cpuOf = (figure: Figure) => median(figure.costs.map((cost) => cost.cpuSeconds));
const rssOf = (figure: Figure) => Math.max(...figure.costs.map((cost) => cost.peakRssBytes)) / (1 << 20);

interface Verdict {
  readonly timesRestic: number | null;
  readonly cpuTimesRestic: number | null;
  readonly target: string;
}

/** Pure: a figure against the peer of the same table, and against what was promised of it. */
function judge(figure: Figure, all: readonly Figure[]): Verdict {
  const peer = all.find((other) => other.operation === figure.operation && other.tool.startsWith('restic'));
  const isPeer = peer === undefined || peer === figure;
  const timesRestic = isPeer ? null : wallOf(peer) / wallOf(figure);
  const cpuTimesRestic = isPeer ? null : cpuOf(peer) / cpuOf(figure);
  const target = targets.find((one) => one.operation === figure.operation && one.tool === figure.tool);
  const said: string[] = [];
  const note = (wanted: string, met: boolean) => said.push(`${wanted}: ${met ? 'met' : 'MISSED'}`);
  if (target?.timesRestic !== undefined && timesRestic !== null)
    note(`≥ ${target.timesRestic} ×`, timesRestic >= target.timesRestic);
  if (target?.seconds !== undefined) note(`≤ ${target.seconds} s`, wallOf(figure) <= target.seconds);
  if (figure.tool.startsWith('diskfleet')) note(`≤ ${rssLimitMib} MiB`, rssOf(figure) <= rssLimitMib);
  return { timesRestic, cpuTimesRestic, target: said.join('; ') };
}

const seconds = (value: number) => (Number.isFinite(value) ? value.toFixed(2) : '–');
const times = (value: number | null) => (value === null || !Number.isFinite(value) ? '' : `${value.toFixed(2)} ×`);

export function report(title: string, figures: readonly Figure[]): void {
  const lines = figures.map((figure) => {
    const { timesRestic, cpuTimesRestic, target } = judge(figure, figures);
    const best = Math.min(...figure.costs.map((cost) => cost.wallSeconds));
    const cells = [
      figure.operation,
      figure.tool,
      `${seconds(wallOf(figure))} (${seconds(best)})`,
      seconds(cpuOf(figure)),
      figure.costs.length === 0 ? '' : rssOf(figure).toFixed(0),
      times(timesRestic),
      times(cpuTimesRestic),
      target,
      figure.note ?? '',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head =
    '| operation | tool | wall s, median (best) | CPU s | peak RSS MiB | × restic, wall | × restic, CPU | target | note |\n|---|---|---|---|---|---|---|---|---|';
  process.stdout.write(`\n### ${title}\n\n${head}\n${lines.join('\n')}\n`);
}

export function save(figures: readonly Figure[]): void {
  const folder = join(root, 'bench/results');
  mkdirSync(folder, { recursive: true });
  const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, node: process.version, date: new Date().toISOString() };
  writeFileSync(join(folder, 'vault.json'), `${JSON.stringify({ machine, sizes, figures }, null, 2)}\n`);
}
