/**
 * Progress for people on stderr: one line that is rewritten on a terminal, a plain line now and then elsewhere.
 * With `--json` it is shown on a terminal only, so that logs of scripts stay clean.
 */
import type { Progress } from '@diskfleet/engine';
import { cleanText } from '@diskfleet/protocol';
import { type Estimate, makeRateMeter } from '../agent/eta.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import type { Cli } from './command.ts';

const REDRAW_MS = 200;
const LINE_EVERY_MS = 10_000;

export interface ProgressView {
  onProgress(progress: Progress): void;
  /** A line of its own, above the progress line. */
  note(text: string): void;
  /** Ends the line; call once, also after a failure. */
  end(): Promise<void>;
}

export function progressView(cli: Cli): ProgressView {
  const terminal = cli.stderr.isTTY;
  if (cli.json && !terminal) return { onProgress: () => {}, note: () => {}, end: async () => {} };
  const meter = makeRateMeter();
  let shownAt = Number.NEGATIVE_INFINITY;
  let shownPhase = '';
  let drawn = false;
  return {
    onProgress(progress) {
      const now = cli.now().getTime();
      const estimate = meter.add(progress.phase, now, progress);
      const due = now - shownAt >= (terminal ? REDRAW_MS : LINE_EVERY_MS);
      if (!due && progress.phase === shownPhase) return;
      shownAt = now;
      shownPhase = progress.phase;
      const line = progressLine(progress, estimate, terminal ? cli.stderr.columns : null);
      void cli.stderr.write(terminal ? `\r\u001b[K${line}` : `${line}\n`);
      drawn = terminal;
    },
    note(text) {
      void cli.stderr.write(`${drawn ? '\r\u001b[K' : ''}${cleanText(text)}\n`);
      drawn = false;
    },
    async end() {
      if (drawn) await cli.stderr.write('\r\u001b[K');
    },
  };
}

/** Pure. `columns` null: no bar, since nothing is redrawn. */
export function progressLine(progress: Progress, estimate: Estimate, columns: number | null): string {
  const { phase, doneBytes, totalBytes } = progress;
  if (totalBytes === 0) return `${phase} …`;
  const share = Math.min(1, doneBytes / totalBytes);
  const parts = [`${String(Math.floor(share * 100)).padStart(3)} %`, `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`];
  if (estimate.bytesPerSecond !== null) parts.push(`${formatBytes(estimate.bytesPerSecond)}/s`);
  if (estimate.etaSeconds !== null && share < 1) parts.push(etaText(estimate.etaSeconds));
  if (progress.newBytes > 0) parts.push(`new ${formatBytes(progress.newBytes)}, stored ${formatBytes(progress.storedBytes)}`);
  if (progress.skippedBytes > 0) parts.push(`matched ${formatBytes(progress.skippedBytes)}`);
  const text = parts.join(' · ');
  if (columns === null) return `${phase}: ${text}`;
  const barWidth = Math.min(30, columns - phase.length - text.length - 5);
  const bar = barWidth >= 8 ? `${'█'.repeat(Math.round(share * barWidth)).padEnd(barWidth, '░')} ` : '';
  return `${phase} ${bar}${text}`.slice(0, columns - 1);
}

function etaText({ low, high }: { low: number; high: number }): string {
  const [from, to] = [formatSeconds(low), formatSeconds(high)];
  return from === to ? `${to} left` : `${from} to ${to} left`;
}
