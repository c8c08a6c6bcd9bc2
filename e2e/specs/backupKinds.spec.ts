/**
 * Kinds of backups in a real browser over a real fleet: a system by keyboard alone, partitions of two disks by mouse and keys, and what
 * a point does not hold when it is looked at, explored and restored. Screenshots are kept in test-results/screenshots.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { type Fleet, type Member, startFleet } from '../fleet/fleet.ts';
import type { Proc } from '../fleet/process.ts';
import { makeDisk, smallDisk, windowsOf } from '../images/disk.ts';
import { run, withLoop, withMount } from '../images/tools.ts';
import { expectAccessible, ready, shoot, startConsole } from './console.ts';

const MIB = 1 << 20;
const plan = { ...smallDisk('kinds'), extFilesMib: 12, extGarbageMib: 4, ntfsFilesMib: 6, ntfsGarbageMib: 2, smallFiles: 40 };
const [, ext, ntfs] = windowsOf(plan);
const archive = { offsetBytes: MIB, sizeBytes: 48 * MIB };
const shots = join(import.meta.dirname, '..', 'test-results', 'screenshots');

let fleet: Fleet;
let desk: Member;
let served: { address: string; console: Proc };
let page: Page;
let systemDisk: string;
let dataDisk: string;
const problems: string[] = [];

test.describe.configure({ mode: 'serial' });

test.beforeAll(async ({ browser }) => {
  test.setTimeout(300_000);
  fleet = await startFleet();
  systemDisk = join(fleet.folder, 'system.img');
  dataDisk = join(fleet.folder, 'data.img');
  await makeDisk(systemDisk, plan);
  await withLoop(systemDisk, ext, (device) =>
    withMount(device, 'ext4', 'nodiscard', async (mount) => {
      mkdirSync(join(mount, 'etc'));
      writeFileSync(join(mount, 'etc/os-release'), 'ID=debian\n');
      writeFileSync(join(mount, 'etc/fstab'), 'LABEL=root / ext4 defaults 0 1\nLABEL=ESP /boot/efi vfat umask=0077 0 1\n');
    }),
  );
  await makeDataDisk(dataDisk);
  await fleet.createVault();
  desk = await fleet.addMember('desk', [
    { path: systemDisk, serial: 'SYS-0001', model: 'System disk' },
    { path: dataDisk, serial: 'DATA-0002', model: 'Data disk' },
  ]);
  served = await startConsole(fleet);
  page = await (await browser.newContext({ colorScheme: 'light' })).newPage();
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(`${served.address}/machines/${desk.id}`);
  await ready(page);
  await page.getByLabel('E-mail').fill('olga@example.org');
  await page.getByLabel('Password').fill('correct horse battery');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'desk' })).toBeVisible();
});
test.afterAll(async () => {
  await served?.console.stop();
  await fleet?.stop();
});

test('a system backup by keyboard alone, and what it leaves out is seen before it starts', async () => {
  await ready(page);
  await page.getByRole('button', { name: 'Back up now' }).focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('radio', { name: 'Disks' })).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(dialog.getByRole('radio', { name: 'System' })).toBeFocused();
  await page.keyboard.press('Space');
  await expect(dialog.getByRole('radio', { name: 'System' })).toBeChecked();
  await expect(dialog.getByText('Left out: data', { exact: false }).first()).toBeVisible();
  await expect(dialog.getByRole('button', { name: /Partition 2: root.*Included/ })).toBeVisible();
  await expect(dialog.getByRole('button', { name: /Partition 3: data.*Left out/ })).toBeVisible();
  await expect(dialog.getByTestId('backup-totals')).toContainText('of 320 MiB on 1 disk');
  await expectAccessible(page, 'the dialog for a system');
  await shoot(page, shots, 'kinds-system');
  await tabTo(page, dialog.getByRole('button', { name: 'Start backup' }));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Backup complete' })).toBeVisible({ timeout: 60_000 });
  await tabTo(page, page.getByRole('link', { name: 'Open restore point' }));
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/points\//);
});

test('the point and the explorer say what is not in it', async () => {
  await ready(page);
  await expect(page.getByText('1 partition left out of this point')).toBeVisible();
  await expect(page.getByRole('button', { name: /Partition 3: data.*Left out.*not part of this restore point/ })).toBeVisible();
  await expectAccessible(page, 'a point of a system');
  await shoot(page, shots, 'kinds-point');
  await page.getByRole('link', { name: 'Explore' }).click();
  await expect(page.getByRole('link', { name: 'Partition 2' })).toBeVisible();
  await expect(page.getByText('Partition 3')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Partition 3' })).toHaveCount(0);
  await expect(page.getByText('not part of this restore point')).toBeVisible();
  await expectAccessible(page, 'the explorer of a system');
  await shoot(page, shots, 'kinds-explore');
});

test('rolled back, the disk keeps the partition the point does not hold, byte for byte', async () => {
  const [point] = await fleet.api.points.list.query({ machineId: desk.id });
  expect(point).toMatchObject({ kind: 'system' });
  scribble(systemDisk, ntfs.offsetBytes + ntfs.sizeBytes - 64 * 1024, 'written after the backup');
  await withLoop(systemDisk, ext, (device) =>
    withMount(device, 'ext4', 'nodiscard', async (mount) => rmSync(join(mount, 'etc'), { recursive: true })),
  );
  const kept = hashOf(systemDisk, ntfs.offsetBytes, ntfs.sizeBytes);
  await page.goto(`${served.address}/restore?point=${point?.id}&disk=0&step=where`);
  await ready(page);
  await page.getByRole('radio', { name: /system\.img/ }).click();
  await page.getByRole('button', { name: 'Make plan' }).click();
  const now = page.getByRole('figure', { name: /^Target now/ });
  await expect(now.getByRole('button', { name: /Partition 3: data.*Kept as it is/ })).toBeVisible();
  await expect(now.getByRole('button', { name: /Partition 2: root.*Erased/ })).toBeVisible();
  await expectAccessible(page, 'a plan that keeps a partition');
  await shoot(page, shots, 'kinds-plan');
  await page.reload();
  await ready(page);
  await page.getByLabel('Type to confirm').fill((await page.getByTestId('confirm-text').textContent()) ?? '');
  await page.getByRole('button', { name: 'Overwrite this disk' }).click();
  await expect(page.getByText('Restore complete')).toBeVisible({ timeout: 60_000 });
  expect(hashOf(systemDisk, ntfs.offsetBytes, ntfs.sizeBytes)).toBe(kept);
  await withLoop(systemDisk, ext, async (device) => {
    await run('e2fsck', ['-fn', device]);
    await withMount(device, 'ext4', 'ro,noload', async (mount) => expect(existsSync(join(mount, 'etc/os-release'))).toBe(true));
  });
});

test('partitions of two disks, chosen on the map by mouse and by keys, and in the table', async () => {
  await page.goto(`${served.address}/machines/${desk.id}?backup=true`);
  await ready(page);
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: 'Partitions' }).click();
  await expect(dialog.getByTestId('backup-totals')).toHaveText('Nothing is chosen yet');
  await expect(dialog.getByRole('button', { name: 'Start backup' })).toBeDisabled();
  await dialog.getByRole('checkbox', { name: /Partition 1: ESP/ }).click();
  const system = dialog.getByRole('figure', { name: /disk system\.img/ });
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Space');
  await expect(system.getByRole('checkbox', { name: /Partition 3: data/ })).toBeChecked();
  await expect(system.getByRole('checkbox', { name: /Partition 2: root/ })).not.toBeChecked();
  const data = dialog.getByRole('figure', { name: /disk data\.img/ });
  await data.getByRole('radio', { name: 'Table' }).click();
  await data.getByRole('checkbox', { name: 'Back up archive' }).click();
  await expect(dialog.getByTestId('backup-totals')).toContainText('of 384 MiB on 2 disks');
  await expectAccessible(page, 'the dialog for partitions');
  await shoot(page, shots, 'kinds-partitions');
  await dialog.getByRole('radio', { name: 'Full' }).click();
  await dialog.getByRole('button', { name: 'Start backup' }).click();
  await expect(page.getByRole('heading', { name: 'Backup complete' })).toBeVisible({ timeout: 60_000 });
  const [newest] = await fleet.api.points.list.query({ machineId: desk.id });
  const point = await fleet.api.points.get.query({ id: newest?.id ?? '' });
  expect(point).toMatchObject({ kind: 'partition', method: 'full' });
  const held = point.disks.map(({ name, partitions }) => [
    name,
    partitions.filter((part) => !part.content).map((part) => part.number),
  ]);
  expect(held.sort()).toEqual([
    ['data.img', [1]],
    ['system.img', [1, 3]],
  ]);
});

test('no page has a serious fault for those who cannot see or point, and none has a script error', async () => {
  await page.goto(`${served.address}/jobs`);
  await page.getByRole('row').nth(1).getByRole('link').first().click();
  await expect(page.getByRole('heading', { name: 'Log' })).toBeVisible();
  await expectAccessible(page, 'a job');
  await shoot(page, shots, 'kinds-job');
  for (const path of [
    '/',
    '/machines',
    `/machines/${desk.id}?tab=disks`,
    '/points',
    '/jobs',
    '/storage',
    '/activity',
    '/settings',
  ]) {
    await page.goto(served.address + path);
    await ready(page);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByRole('status', { name: /^Loading/ })).toHaveCount(0);
    await expectAccessible(page, path);
  }
  expect(problems).toEqual([]);
});

/** GPT with one ext4, and space behind it that belongs to nobody. */
async function makeDataDisk(path: string): Promise<void> {
  closeSync(openSync(path, 'w'));
  truncateSync(path, 64 * MIB);
  const last = (archive.offsetBytes + archive.sizeBytes) / 512 - 1;
  await run('sgdisk', ['-o', '-n', `1:2048:${last}`, '-t', '1:8300', '-c', '1:archive', path]);
  await withLoop(path, archive, (device) => run('mkfs.ext4', ['-q', '-F', '-L', 'archive', device]));
}

/** Presses Tab until it has the focus, as a person would. */
async function tabTo(on: Page, target: ReturnType<Page['getByRole']>): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return;
    await on.keyboard.press('Tab');
  }
  throw new Error('the focus never came there by Tab');
}

function scribble(path: string, offsetBytes: number, text: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from(text), 0, text.length, offsetBytes);
  closeSync(file);
}

function hashOf(path: string, offsetBytes: number, sizeBytes: number): string {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(sizeBytes);
  readSync(file, bytes, 0, sizeBytes, offsetBytes);
  closeSync(file);
  return createHash('sha256').update(bytes).digest('hex');
}
