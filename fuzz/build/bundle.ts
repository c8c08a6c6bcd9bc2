/**
 * Makes one plain JavaScript file of a target, its parser and the engine: a child process that loads it starts in a few dozen
 * milliseconds and stays small, which matters where its memory is judged. With counters to fuzz, without to replay: what a person
 * runs has none.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { instrument, type Place } from './instrument.ts';

const fuzzFolder = fileURLToPath(new URL('..', import.meta.url));
const packages = join(fuzzFolder, '..', 'packages');
export const scratchFolder = join(fuzzFolder, 'dist');

/** What the children know about a bundle beside its code. */
export interface BundleFacts {
  readonly places: readonly Place[];
  /** Decimal. */
  readonly numbers: readonly string[];
  readonly texts: readonly string[];
}

export interface Bundle {
  /** To run with `node`. */
  readonly script: string;
  /** A JSON file of `BundleFacts`. */
  readonly facts: string;
}

export async function bundleTarget(target: string, mode: 'fuzz' | 'replay'): Promise<Bundle> {
  await mkdir(scratchFolder, { recursive: true });
  const script = join(scratchFolder, `${target}-${mode}.mjs`);
  const facts = join(scratchFolder, `${target}-${mode}.json`);
  // Tests and a run beside them may bundle the same: each renames what it made as a whole.
  const made = `${script}.${process.pid}`;
  const places: Place[] = [];
  const numbers = new Set<bigint>();
  const texts = new Set<string>();
  await build({
    stdin: {
      contents: `import './engine/runtime.ts'; import { target } from './targets/${target}.ts'; import { main } from './engine/${mode}Child.ts'; await main(target);`,
      resolveDir: fuzzFolder,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    outfile: made,
    external: ['koffi', '@napi-rs/*', '@node-rs/*'],
    logLevel: 'error',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    plugins: [
      {
        name: 'counters',
        setup: (building) => {
          if (mode === 'replay') return;
          building.onLoad(
            { filter: /\/packages\/[a-z]+\/src\/.*\.ts$|\/fuzz\/planted\/.*\.ts$|\/zod\/v4\/core\/.*\.js$/ },
            async ({ path }) => {
              const source = await readFile(path, 'utf8');
              if (path.includes('/testing/')) return { contents: source, loader: 'ts' };
              const made = instrument(
                source,
                path.startsWith(packages) ? path.slice(packages.length + 1) : path.replace(/^.*\/node_modules\//, ''),
                places,
              );
              for (const number of made.numbers) numbers.add(number);
              for (const text of made.texts) texts.add(text);
              return { contents: made.code, loader: 'js' };
            },
          );
        },
      },
    ],
  });
  const known: BundleFacts = { places, numbers: [...numbers].map(String), texts: [...texts] };
  await writeFile(`${facts}.${process.pid}`, JSON.stringify(known));
  await rename(`${facts}.${process.pid}`, facts);
  await rename(made, script);
  return { script, facts };
}
