/** `--keep`: what a run found out goes into the repository, as few and as small inputs as reach the same branches. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { bundleTarget } from '../build/bundle.ts';
import type { ChildMessage, ChildOptions } from '../engine/fuzzChild.ts';
import { corpusFile, seedFolder } from './folders.ts';

const MAX_INPUT_CHARS = 20_000;

async function earlier(target: string): Promise<string[]> {
  try {
    return zstdDecompressSync(await readFile(corpusFile(target)))
      .toString('utf8')
      .split('\n')
      .filter(Boolean);
  } catch {
    return [];
  }
}

export async function mergeCorpus(target: string, outcomes: readonly { readonly kept: readonly string[] }[]): Promise<void> {
  const all = new Set([...(await earlier(target)), ...outcomes.flatMap(({ kept }) => kept)]);
  const small = [...all].filter(({ length }) => length <= MAX_INPUT_CHARS).sort((left, right) => left.length - right.length);
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-fuzz-'));
  try {
    const candidates = join(folder, 'candidates');
    await writeFile(candidates, zstdCompressSync(Buffer.from(small.join('\n'))));
    const { script, facts } = await bundleTarget(target, 'fuzz');
    const options: ChildOptions = {
      seconds: 0,
      seed: 1,
      seedFolder: seedFolder(target),
      corpora: [candidates],
      facts,
      keepCounts: false,
      beat: join(folder, 'beat'),
    };
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--expose-gc', script, JSON.stringify(options)], { maxBuffer: 1 << 30 });
    const messages: ChildMessage[] = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const kept = messages.flatMap((message) => (message.kind === 'kept' ? [message.input] : []));
    await mkdir(dirname(corpusFile(target)), { recursive: true });
    const packed = zstdCompressSync(Buffer.from(`${kept.join('\n')}\n`));
    await writeFile(corpusFile(target), packed);
    process.stdout.write(`${target}: ${kept.length} inputs of ${all.size} kept, ${packed.length} bytes\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
