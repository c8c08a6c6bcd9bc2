/**
 * Bundles the command into dist/: one file for the main thread and one beside it for each worker thread of the engine, which looks
 * for them next to the code that starts them. Native modules stay packages. An argument names another folder than dist/.
 */
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, 'dist');
const engine = join(here, 'node_modules/@diskfleet/engine/src');

const workers = readdirSync(engine, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('Worker.ts'))
  .map((file) => join(engine, file));
if (workers.length === 0 || !workers.every(existsSync)) throw new Error('the worker threads of the engine were not found');

await rm(out, { recursive: true, force: true });
await build({
  entryPoints: [
    { in: join(here, 'src/main.ts'), out: 'diskfleet' },
    // A process of its own, started by its path.
    { in: join(here, 'src/platform/linux/live/thawGuard.ts'), out: 'thawGuard' },
    ...workers.map((file) => ({ in: file, out: nameOf(file) })),
  ],
  outdir: out,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  sourcemap: 'linked',
  external: ['koffi', '@napi-rs/blake-hash', '@node-rs/argon2'],
  // Bundled CommonJS packages (ws, pino) call require for Node's own modules.
  banner: { js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);" },
  logLevel: 'warning',
});

function nameOf(file) {
  return file.slice(file.lastIndexOf('/') + 1, -'.ts'.length);
}
