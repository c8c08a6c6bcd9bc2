/** The console in front of a fleet, and what the specs ask of its pages. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, type Page } from '@playwright/test';
import axe from 'axe-core';
import * as z from 'zod';
import { type Fleet, freePort } from '../fleet/fleet.ts';
import { makeProcess, type Proc, until } from '../fleet/process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function startConsole(fleet: Fleet): Promise<{ address: string; console: Proc }> {
  const port = await freePort();
  const secretFile = join(fleet.folder, 'nextauth.secret');
  writeFileSync(secretFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  const console = makeProcess({
    name: 'console',
    script: join(root, 'apps/console/.next/standalone/apps/console/server.js'),
    env: {
      NODE_ENV: 'production',
      PORT: String(port),
      HOSTNAME: '127.0.0.1',
      AUTH_TRUST_HOST: '1',
      DISKFLEET_SERVER_URL: fleet.serverUrl,
      DISKFLEET_BRIDGE_KEY_FILE: join(fleet.folder, 'bridge.key'),
      NEXTAUTH_SECRET_FILE: secretFile,
    },
    logFile: join(fleet.folder, 'console.log'),
  });
  console.start();
  const address = `http://127.0.0.1:${port}`;
  await until('the console', 30_000, async () => (await fetch(`${address}/sign-in`)).ok);
  return { address, console };
}

/** Scripts of the page have taken over: what is pressed now is heard. */
export async function ready(page: Page): Promise<void> {
  await page.locator('[data-hydrated]').first().waitFor({ state: 'attached' });
}

/** Wide and narrow, light and dark: for people to look at. */
export async function shoot(page: Page, folder: string, name: string): Promise<void> {
  for (const [width, scheme] of [
    [1440, 'light'],
    [1440, 'dark'],
    [390, 'dark'],
    [390, 'light'],
  ] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(150);
    await page.screenshot({ path: join(folder, `${name}-${width}-${scheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1440, height: 900 });
}

const findingsShape = z.array(z.object({ id: z.string(), impact: z.string().nullable(), html: z.string() }));

/** axe finds nothing serious or critical on the page as it is now. */
export async function expectAccessible(page: Page, what: string): Promise<void> {
  await page.evaluate(axe.source);
  const found: unknown = await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, impact, nodes }) => ({ id, impact: impact ?? null, html: nodes[0]?.html ?? '' })))`,
  );
  const hurting = findingsShape.parse(found).filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(hurting, `axe on ${what}`).toEqual([]);
}
