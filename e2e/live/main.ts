/**
 * `node e2e/live/main.ts [runs] [ext4|xfs|btrfs…]`: backs up disks in use again and again. Each run is three backups under random
 * writers: full and incremental in this process (the image is compared with the device as it was held, and checked), and one by the
 * command, during which the writer itself measures how long it waited at most. Prints medians and maxima.
 */
import { type FsKind, makeLab, newVault, startWriter } from './lab.ts';
import { newMemory, provenBackup, timedBackup } from './runs.ts';

const [, , runsText = '50', ...wanted] = process.argv;
const kinds: readonly FsKind[] = ['ext4', 'xfs', 'btrfs'];

for (const kind of kinds) {
  if (wanted.length > 0 && !wanted.includes(kind)) continue;
  const lab = await makeLab(kind);
  const writer = startWriter(lab, 1);
  const [calm, waited, readShare]: number[][] = [[], [], []];
  const started = performance.now();
  let [failed, restarts] = [0, 0];
  try {
    for (let run = 1; run <= Number(runsText); run += 1) {
      try {
        const { vault } = await newVault(lab);
        const memory = newMemory();
        const full = await provenBackup(lab, vault, { method: 'full', memory });
        const next = await provenBackup(lab, vault, { method: 'incremental', memory });
        await vault.close();
        restarts += [...full.log, ...next.log].filter((line) => /read from the start|ended early/.test(line.text)).length;
        readShare?.push(next.result.readBytes / full.result.readBytes);
        const { calmMs, waitedMs } = await timedBackup(lab, writer);
        calm?.push(calmMs);
        waited?.push(waitedMs);
        process.stderr.write(`${kind} ${run}: waited ${waitedMs.toFixed(0)} ms, without a backup ${calmMs.toFixed(0)} ms\n`);
      } catch (error) {
        failed += 1;
        process.stderr.write(`${kind} ${run}: ${error instanceof Error ? error.stack : String(error)}\n`);
      }
    }
  } finally {
    await writer.stop();
    await lab.close();
  }
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  process.stdout.write(
    `${kind}: ${runsText} runs, ${failed} failed, ${restarts} begun anew, ${minutes} min; longest wait of the writer ${text(waited, 0)} ms; ` +
      `without a backup ${text(calm, 0)} ms; the incremental read ${text(readShare, 3)} of what the full read\n`,
  );
  if (failed > 0) process.exitCode = 1;
}

function text(values: readonly number[] = [], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return `median ${median.toFixed(digits)}, max ${(sorted.at(-1) ?? Number.NaN).toFixed(digits)}`;
}
