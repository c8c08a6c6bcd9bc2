import { cpSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

// Another folder of this package may be named, e.g. by the test that starts what was built.
const outdir = process.argv[2] ?? 'dist';
rmSync(outdir, { recursive: true, force: true });
await build({
  // A thread is a bundle of its own, beside the main one.
  entryPoints: { main: 'src/main.ts', tendThread: 'src/vaults/tendThread.ts' },
  outdir,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  sourcemap: 'linked',
  // Native code stays in its packages.
  external: ['koffi', '@napi-rs/blake-hash', '@node-rs/argon2'],
  banner: { js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);" },
});
cpSync('../../packages/db/migrations', `${outdir}/migrations`, { recursive: true });
