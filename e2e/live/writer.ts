/**
 * A program that never stops writing: random places of one file, fsync now and then, files made and removed. It says by itself how long
 * it was kept waiting: `reset` and `report` on stdin; a report is a line of JSON.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const [, , folder = '', seedText = '1'] = process.argv;
let state = Number(seedText) * 2654435761 + 1;

function random(below: number): number {
  state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0;
  return state % below;
}

const noise = Buffer.alloc(1 << 20);
for (let at = 0; at < noise.length; at += 4) noise.writeUInt32LE(random(2 ** 32), at);

const database = openSync(join(folder, `db-${seedText}`), 'w+');
ftruncateSync(database, 32 << 20);

let writes = 0;
let longestMs = 0;
let lastAt = performance.now();

function step(): void {
  writeSync(database, noise, random(noise.length - 4096), 4096, random(8192) * 4096);
  if (writes % 40 === 0) fsyncSync(database);
  if (writes % 10 === 0) {
    const from = random(noise.length - 60_000);
    writeFileSync(join(folder, `f-${seedText}-${writes % 600}`), noise.subarray(from, from + random(60_000)));
  }
  if (writes % 997 === 0) {
    for (let n = 0; n < 600; n += 70) rmSync(join(folder, `f-${seedText}-${n}`), { force: true });
  }
  writes += 1;
  const now = performance.now();
  longestMs = Math.max(longestMs, now - lastAt);
  lastAt = now;
}

let stopped = false;
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  for (const word of text.split('\n')) {
    if (word === 'reset') [longestMs, lastAt] = [0, performance.now()];
    if (word === 'report') process.stdout.write(`${JSON.stringify({ writes, longestMs })}\n`);
    if (word === 'stop') stopped = true;
  }
});

// Whoever started it is gone.
process.stdin.on('end', () => {
  stopped = true;
});

while (!stopped) {
  step();
  await new Promise((next) => setTimeout(next, 1));
}
closeSync(database);
process.exit(0);
