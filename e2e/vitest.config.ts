import { defineConfig } from 'vitest/config';
import { longestFirst } from '../infra/test/longestFirst.ts';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 300_000,
    // Most of the time goes into waiting for other processes: three files at once keep two cores busy.
    maxWorkers: 3,
    sequence: {
      sequencer: longestFirst([
        'crash1.test.ts',
        'crash2.test.ts',
        'roundTrip.test.ts',
        'live/live.test.ts',
        'fleet/fleet.test.ts',
      ]),
    },
  },
});
