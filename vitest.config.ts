import { defineConfig } from 'vitest/config';

// The long suites (fleet, browser, crashes) live in e2e/ and have a configuration of their own.
export default defineConfig({
  test: {
    include: ['packages/**/*.test.ts', 'agent/**/*.test.ts', 'apps/**/*.test.ts', 'infra/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
