/**
 * The main job in a real browser: set up → approve this PC → back up a disk → explore → download a file → restore to a second disk.
 * Screenshots of every step are kept in test-results/screenshots.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileDevice, readBytes } from '@diskfleet/disk';
import { readUsedDisk } from '@diskfleet/engine';
import { expect, type Page, test } from '@playwright/test';
import { makeDisk, smallDisk, windowsOf } from '../images/disk.ts';
import { run, withLoop, withMount } from '../images/tools.ts';
import { cli } from '../roundtrip/cli.ts';
import { shoot as shootPage, ready as whenReady } from './console.ts';
import { type Product, startProduct } from './product.ts';

const plan = smallDisk('browser');
const owner = { name: 'Olga Owner', email: 'olga@example.org', password: 'correct horse battery' };
const shots = join(import.meta.dirname, '..', 'test-results', 'screenshots');

let product: Product;
let page: Page;
let kitFile: string;
let downloaded: Buffer;
const problems: string[] = [];

test.describe.configure({ mode: 'serial' });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(300_000);
  product = await startProduct(async (disks) => {
    await makeDisk(join(disks, 'pc.img'), plan);
    await run('truncate', ['-s', `${plan.sizeMib + 64}M`, join(disks, 'spare.img')]);
  });
  page = await (await browser.newContext({ acceptDownloads: true, colorScheme: 'light' })).newPage();
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
});
test.afterAll(async () => {
  await product?.dispose();
});

const ready = () => whenReady(page);
const shoot = (name: string) => shootPage(page, shots, name);

test('set up: owner, vault, recovery kit, this PC', async () => {
  await page.goto(product.address);
  await ready();
  await page.getByLabel('Your name').fill(owner.name);
  await page.getByLabel('E-mail').fill(owner.email);
  await page.getByLabel('Password', { exact: true }).fill(owner.password);
  await page.getByLabel('Password again').fill(owner.password);
  await shoot('setup-owner');
  await page.getByRole('button', { name: 'Create owner account' }).click();
  await page.getByRole('button', { name: 'Test folder' }).click();
  await expect(page.getByText('This folder works')).toBeVisible();
  await shoot('setup-vault');
  await page.getByRole('button', { name: 'Create vault' }).click();
  const kit = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download recovery kit' }).click();
  kitFile = await (await kit).path();
  const kitText = readFileSync(kitFile, 'utf8');
  expect(kitText).toMatch(/private-key: [A-Za-z0-9+/]{43}=/);
  await page.getByRole('button', { name: 'Approve' }).first().click();
  await expect(page.getByRole('link', { name: 'Protect it' })).toBeVisible();
  await shoot('setup-machine');
});

test('back up a disk of this PC with live progress', async () => {
  await page.getByRole('link', { name: 'Protect it' }).click();
  await expect(page.getByRole('button', { name: 'Start backup' })).toBeVisible();
  // Only the disk file: the real disks of the PC that runs the test stay alone.
  for (const box of await page
    .getByRole('dialog')
    .getByRole('checkbox', { name: /^Back up / })
    .all()) {
    const wanted = (await box.getAttribute('aria-label')) === 'Back up pc.img';
    await box.setChecked(wanted);
  }
  await shoot('backup-dialog');
  await page.getByRole('button', { name: 'Start backup' }).click();
  await expect(page.getByRole('heading', { name: 'Backup complete' })).toBeVisible({ timeout: 90_000 });
  await shoot('backup-done');
  await page.getByRole('link', { name: 'Open restore point' }).click();
  await expect(page).toHaveURL(/\/points\//);
  await ready();
  await shoot('point');
});

test('explore the image and download a file: same bytes', async () => {
  await page.getByRole('link', { name: 'Explore' }).first().click();
  await page.getByRole('link', { name: 'Partition 2' }).click();
  await page.getByRole('link', { name: 'var', exact: true }).click();
  await expect(page.getByRole('link', { name: 'Download db.bin' })).toBeVisible();
  await shoot('explore');
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download db.bin' }).click();
  const bytes = readFileSync(await (await download).path());
  downloaded = bytes;
  const [, ext] = windowsOf(plan);
  await withLoop(join(product.disksFolder, 'pc.img'), ext, (device) =>
    withMount(device, 'ext4', 'ro,noload', async (mount) => {
      expect(bytes.equals(readFileSync(join(mount, 'var/db.bin')))).toBe(true);
    }),
  );
});

test('the recovery kit opens the vault with the command line alone', async () => {
  const vault = ['--vault', join(product.folder, 'vault'), '--recovery-kit', kitFile];
  const noPassphrase = { DISKFLEET_PASSPHRASE: '' };
  const target = test.info().outputPath('db.bin');
  const { exitCode, stderr } = await cli(
    ['explore', 'latest', 'get', '/2/var/db.bin', test.info().outputDir, ...vault],
    noPassphrase,
  );
  expect(exitCode, stderr).toBe(0);
  expect(readFileSync(target).equals(downloaded)).toBe(true);
});

test('restore to a second disk: planned, typed, written, equal', async () => {
  await page.goto(new URL('/restore', product.address).href);
  await ready();
  const points = page.getByLabel('Restore point', { exact: true });
  await points.selectOption({ index: 1 });
  await page.getByRole('button', { name: 'Choose target' }).click();
  await page.getByRole('radio', { name: /spare\.img/ }).click();
  await shoot('restore-where');
  await page.getByRole('button', { name: 'Make plan' }).click();
  const confirm = (await page.getByTestId('confirm-text').textContent()) ?? '';
  await expect(page.getByRole('button', { name: 'Overwrite this disk' })).toBeDisabled();
  await page.getByLabel('Type to confirm').fill(confirm);
  await shoot('restore-plan');
  await page.getByRole('button', { name: 'Overwrite this disk' }).click();
  await expect(page.getByText('Restore complete')).toBeVisible({ timeout: 90_000 });
  await shoot('restore-done');
  const [esp, ext, ntfs] = windowsOf(plan);
  const spare = join(product.disksFolder, 'spare.img');
  await run('sgdisk', ['-v', spare]);
  expect(await partitionsHash(spare, esp.offsetBytes, ntfs.offsetBytes + ntfs.sizeBytes)).toBe(
    await partitionsHash(join(product.disksFolder, 'pc.img'), esp.offsetBytes, ntfs.offsetBytes + ntfs.sizeBytes),
  );
  await withLoop(spare, ext, (device) => run('e2fsck', ['-fn', device]));
});

test('every page has a title, no script error, and looks right in light and dark', async () => {
  for (const path of ['/', '/machines', '/points', '/jobs', '/storage', '/activity', '/settings']) {
    await page.goto(new URL(path, product.address).href);
    await ready();
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await page.waitForTimeout(500);
    await shoot(path === '/' ? 'overview' : path.slice(1));
  }
  await page.goto(new URL('/machines', product.address).href);
  await page.getByRole('row').nth(1).getByRole('link').first().click();
  await expect(page).toHaveURL(/\/machines\/[0-9a-f-]{36}/);
  await ready();
  await shoot('machine');
  await page.goto(new URL('/jobs', product.address).href);
  await page.getByRole('row').nth(1).getByRole('link').first().click();
  await expect(page.getByRole('heading', { name: 'Log' })).toBeVisible();
  await shoot('job');
  expect(problems).toEqual([]);
});

test('signed out, nothing is shown; a second start keeps everything', async () => {
  expect(await product.stop()).toBe(0);
  const startedAt = Date.now();
  const address = await product.start();
  test.info().annotations.push({ type: 'second start', description: `${(Date.now() - startedAt) / 1000} s` });
  expect(address).not.toContain('setup');
  await page.context().clearCookies();
  await page.goto(new URL('/points', address).href);
  await expect(page).toHaveURL(/sign-in/);
  await ready();
  await shoot('sign-in');
  await page.getByLabel('E-mail').fill(owner.email);
  await page.getByLabel('Password').fill('wrong password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('E-mail or password is wrong.')).toBeVisible();
  await page.getByLabel('Password').fill(owner.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/points/);
  await expect(page.getByRole('row').nth(1)).toBeVisible();
});

async function partitionsHash(path: string, fromBytes: number, toBytes: number): Promise<string> {
  const device = await openFileDevice(path);
  const hash = createHash('sha256');
  for (const extent of (await readUsedDisk(device)).usedExtents) {
    if (extent.offsetBytes < fromBytes || extent.offsetBytes >= toBytes) continue;
    hash
      .update(`${extent.offsetBytes}+${extent.lengthBytes}`)
      .update(await readBytes(device, extent.offsetBytes, extent.lengthBytes));
  }
  await device.close();
  return hash.digest('hex');
}
