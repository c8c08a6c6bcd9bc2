import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const chromium = process.env.DISKFLEET_CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(chromium)) process.stderr.write(`No Chromium at ${chromium}: infra/test-deps.sh installs it.\n`);

export default defineConfig({
  testDir: 'specs',
  outputDir: 'test-results',
  // Each file has a product or a fleet of its own.
  workers: 2,
  timeout: 240_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: {
    viewport: { width: 1440, height: 900 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
