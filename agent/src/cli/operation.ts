import type { Operation } from '@diskfleet/engine';
import type { Cli } from './command.ts';
import { progressView } from './progressView.ts';

/** An engine operation that shows its progress and stops on Ctrl-C. `end` clears the progress line. */
export function operationOf(cli: Cli): { op: Operation; end: () => Promise<void> } {
  const view = progressView(cli);
  const op: Operation = {
    now: cli.now,
    signal: cli.signal,
    onProgress: view.onProgress,
    // Warnings come again with the result; the rest is told only where somebody watches.
    onLog: (line) => {
      if (line.level === 'info') view.note(line.text);
    },
  };
  return { op, end: view.end };
}
