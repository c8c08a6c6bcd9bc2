import { defineConfig } from 'vitest/config';

// The fault suite of the vault: deterministic, long, and a stage of its own. `npm run test:faults` chooses the tier.
export default defineConfig({
  test: {
    include: ['packages/vault/src/testing/faults/*.faults.ts'],
    testTimeout: 600_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    execArgv: ['--no-wasm-code-gc'],
  },
});
