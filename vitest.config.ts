import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { longestFirst } from './infra/test/longestFirst.ts';

const longest = [
  'engine/src/roundTrip.test.ts',
  'cli/cli.test.ts',
  'restore/leftOut.test.ts',
  'backup/liveView.test.ts',
  'golden.test.ts',
  'damage.test.ts',
  'fuzzer.test.ts',
  's3Store.radosgw.test.ts',
  'filesystem/src/backups.test.ts',
  'tamper.test.ts',
  'trust.test.ts',
  'xfs/log.test.ts',
  'fileBackup.test.ts',
  'cli/portable.test.ts',
];

// Every worker thread of the engine would strip the types of its modules and compile them anew: 0.5 s of the processor each.
if (process.env.NODE_COMPILE_CACHE === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'diskfleet-compiled-'));
  process.env.NODE_COMPILE_CACHE = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
}

// The long suites (fleet, browser, crashes) live in e2e/ and have a configuration of their own.
export default defineConfig({
  // Components of the console are drawn to text in unit tests; what needs a browser is in e2e/specs.
  resolve: { alias: [{ find: /^@\//, replacement: fileURLToPath(new URL('apps/console/src/', import.meta.url)) }] },
  test: {
    include: [
      'packages/**/*.test.ts',
      'agent/**/*.test.ts',
      'apps/**/*.test.{ts,tsx}',
      'infra/**/*.test.ts',
      'fuzz/**/*.test.ts',
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Much of the time goes into waiting for tools and disks: one more than there are cores.
    maxWorkers: 3,
    sequence: { sequencer: longestFirst(longest) },
    // Worker threads of the engine strip types with a WebAssembly program; V8 of Node 24 can crash when one thread frees its code
    // while another one still compiles it. The bundles people run contain no WebAssembly code.
    execArgv: ['--no-wasm-code-gc'],
  },
});
