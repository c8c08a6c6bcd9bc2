import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    // Most of the time goes into waiting for other processes: two files at once keep two cores busy.
    maxWorkers: 2,
  },
});
