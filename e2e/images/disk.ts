/**
 * Disks as PCs have them, made by the real tools: GPT with an EFI system partition (FAT32), ext4 with stale garbage in its free
 * space, and NTFS. The kernels these tests run on scan no partition tables: loop devices with offsets stand in.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyPicked, noise, seeded, writeLog, writeNoise, writeSmallFiles } from './content.ts';
import { run, withLoop, withMount } from './tools.ts';

const MIB = 1 << 20;

export interface DiskPlan {
  readonly sizeMib: number;
  readonly espMib: number;
  readonly extMib: number;
  readonly ntfsMib: number;
  /** Real files, in MiB, put into ext4 and NTFS; garbage is written and deleted between. */
  readonly extFilesMib: number;
  readonly extGarbageMib: number;
  readonly ntfsFilesMib: number;
  readonly ntfsGarbageMib: number;
  readonly smallFiles: number;
  readonly seed: string;
}

/** The disk of the benchmarks: 8 GiB with about 4 GiB used and 1.7 GiB of stale garbage. */
export const bigDisk: DiskPlan = {
  sizeMib: 8192,
  espMib: 256,
  extMib: 5120,
  ntfsMib: 2560,
  extFilesMib: 2550,
  extGarbageMib: 1100,
  ntfsFilesMib: 800,
  ntfsGarbageMib: 600,
  smallFiles: 12_000,
  seed: 'big',
};

/** As large, with a third of the data: what a test can afford on two cores. ext4 is 60 % full. */
export const sparseDisk: DiskPlan = {
  sizeMib: 8192,
  espMib: 256,
  extMib: 2048,
  ntfsMib: 1536,
  extFilesMib: 1020,
  extGarbageMib: 450,
  ntfsFilesMib: 240,
  ntfsGarbageMib: 200,
  smallFiles: 6000,
  seed: 'sparse',
};

/** The same shape, small enough to make in a few seconds. */
export function smallDisk(seed: string): DiskPlan {
  return {
    sizeMib: 320,
    espMib: 40,
    extMib: 160,
    ntfsMib: 96,
    extFilesMib: 40,
    extGarbageMib: 24,
    ntfsFilesMib: 16,
    ntfsGarbageMib: 12,
    smallFiles: 400,
    seed,
  };
}

export interface PartitionWindow {
  readonly number: number;
  readonly kind: 'fat32' | 'ext4' | 'ntfs';
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export function windowsOf(plan: DiskPlan): readonly [PartitionWindow, PartitionWindow, PartitionWindow] {
  const esp = { number: 1, kind: 'fat32', offsetBytes: MIB, sizeBytes: plan.espMib * MIB } as const;
  const ext = { number: 2, kind: 'ext4', offsetBytes: esp.offsetBytes + esp.sizeBytes, sizeBytes: plan.extMib * MIB } as const;
  const ntfs = { number: 3, kind: 'ntfs', offsetBytes: ext.offsetBytes + ext.sizeBytes, sizeBytes: plan.ntfsMib * MIB } as const;
  return [esp, ext, ntfs];
}

/** Makes the disk file anew at `path`. Needs root for the loop devices. */
export async function makeDisk(path: string, plan: DiskPlan): Promise<void> {
  rmSync(path, { force: true });
  closeSync(openSync(path, 'w'));
  truncateSync(path, plan.sizeMib * MIB);
  const [esp, ext, ntfs] = windowsOf(plan);
  const part = ({ number, offsetBytes, sizeBytes }: PartitionWindow, type: string, name: string) => [
    '-n',
    `${number}:${offsetBytes / 512}:${(offsetBytes + sizeBytes) / 512 - 1}`,
    '-t',
    `${number}:${type}`,
    '-c',
    `${number}:${name}`,
  ];
  await run('sgdisk', ['-o', ...part(esp, 'ef00', 'ESP'), ...part(ext, '8300', 'root'), ...part(ntfs, '0700', 'data'), path]);
  await fillEsp(path, esp, plan);
  await fillExt(path, ext, plan);
  await fillNtfs(path, ntfs, plan);
}

async function fillEsp(path: string, window: PartitionWindow, plan: DiskPlan): Promise<void> {
  const at = `${path}@@${window.offsetBytes}`;
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-esp-'));
  try {
    await run('mkfs.fat', [
      '-F',
      '32',
      '-s',
      '1',
      '-n',
      'ESP',
      '--offset',
      String(window.offsetBytes / 512),
      path,
      String(window.sizeBytes / 1024),
    ]);
    writeFileSync(join(folder, 'BOOTX64.EFI'), noise(MIB * 1.5, `${plan.seed}-boot`));
    writeFileSync(join(folder, 'initrd.img'), noise(MIB * (plan.espMib / 20), `${plan.seed}-initrd`));
    await run('mmd', ['-i', at, '::/EFI', '::/EFI/BOOT']);
    await run('mcopy', ['-i', at, join(folder, 'BOOTX64.EFI'), '::/EFI/BOOT/BOOTX64.EFI']);
    await run('mcopy', ['-i', at, join(folder, 'initrd.img'), '::/EFI/initrd.img']);
    await run('mcopy', ['-i', at, join(folder, 'initrd.img'), '::/EFI/old.img']);
    await run('mdel', ['-i', at, '::/EFI/old.img']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fillExt(path: string, window: PartitionWindow, plan: DiskPlan): Promise<void> {
  await withLoop(path, window, async (device) => {
    await run('mkfs.ext4', ['-q', '-F', '-L', 'root', '-E', 'nodiscard,lazy_itable_init=0,lazy_journal_init=0', device]);
    await withMount(device, 'ext4', 'nodiscard', async (mount) => {
      for (const name of ['usr', 'home', 'var', 'garbage']) mkdirSync(join(mount, name));
      await copyPicked(`${plan.seed}-a`, (plan.extFilesMib / 2) * MIB, join(mount, 'usr'));
      await run('sync', ['-f', mount]);
      writeNoise(join(mount, 'garbage/noise'), plan.extGarbageMib * MIB, `${plan.seed}-garbage`);
      await run('sync', ['-f', mount]);
      await copyPicked(`${plan.seed}-b`, (plan.extFilesMib / 2) * MIB, join(mount, 'usr'));
      writeNoise(join(mount, 'home/media.bin'), (plan.extFilesMib / 9) * MIB, `${plan.seed}-media`);
      writeNoise(join(mount, 'var/db.bin'), (plan.extFilesMib / 40) * MIB, `${plan.seed}-db`);
      writeLog(join(mount, 'var/access.log'), (plan.extFilesMib / 42) * MIB, plan.seed);
      writeSmallFiles(join(mount, 'home/small'), plan.smallFiles, plan.seed);
      await run('sync', ['-f', mount]);
      rmSync(join(mount, 'garbage'), { recursive: true });
    });
  });
}

async function fillNtfs(path: string, window: PartitionWindow, plan: DiskPlan): Promise<void> {
  await withLoop(path, window, async (device) => {
    await run('mkntfs', ['-q', '-f', '-F', '-L', 'data', device]);
    await withMount(device, 'ntfs', 'big_writes', async (mount) => {
      await copyPicked(`${plan.seed}-c`, (plan.ntfsFilesMib / 2) * MIB, join(mount, 'Windows'));
      writeNoise(join(mount, 'garbage.bin'), plan.ntfsGarbageMib * MIB, `${plan.seed}-garbage2`);
      await run('sync', ['-f', mount]);
      await copyPicked(`${plan.seed}-d`, (plan.ntfsFilesMib / 2) * MIB, join(mount, 'Users'));
      writeNoise(join(mount, 'Users/media.bin'), (plan.ntfsFilesMib / 8) * MIB, `${plan.seed}-media2`);
      rmSync(join(mount, 'garbage.bin'));
    });
  });
}

/** One round of about 1 % change, as a day of use makes it: new, rewritten, appended and deleted files, scattered 4 KiB writes, a rename. */
export async function changeDisk(path: string, plan: DiskPlan, round: number): Promise<void> {
  const [, ext, ntfs] = windowsOf(plan);
  await withLoop(path, ext, (device) => withMount(device, 'ext4', 'nodiscard', async (mount) => changeTree(mount, round, plan)));
  await withLoop(path, ntfs, (device) =>
    withMount(device, 'ntfs', 'big_writes', async (mount) =>
      writeNoise(join(mount, `new/n${round}`), (plan.ntfsFilesMib / 80) * MIB, `${plan.seed}-n${round}`),
    ),
  );
}

/** The ext4 part of a round of change, on a mounted volume. */
export function changeTree(mount: string, round: number, plan: DiskPlan): void {
  const random = seeded(`${plan.seed}-change-${round}`);
  const budgetBytes = (plan.extFilesMib / 85) * MIB;
  const fresh = join(mount, 'new', String(round));
  rmSync(join(mount, 'new', String(round - 2)), { recursive: true, force: true });
  for (let spent = 0, index = 0; spent < budgetBytes * 0.45; index++) {
    const sizeBytes = Math.min(4 << 20, Math.max(100, Math.floor(Math.exp(11 + 1.8 * (random() * 2 - 1)))));
    writeNoise(join(fresh, `n${index}`), sizeBytes, `${plan.seed}-${round}-${index}`);
    spent += sizeBytes;
  }
  const small = filesBelow(join(mount, 'home/small'));
  for (let index = 0; index < small.length / 200; index++)
    appendFileSync(pick(small, random), noise(200, `${plan.seed}-${round}-a${index}`));
  rewriteSome(filesBelow(join(mount, 'usr')), budgetBytes * 0.35, random);
  scatterWrites(join(mount, 'var/db.bin'), 60, random, `${plan.seed}-${round}`);
  appendFileSync(
    join(mount, 'var/access.log'),
    Array.from({ length: 4000 }, (_, index) => `${index} line ${random()}\n`).join(''),
  );
  const [before, after] = [join(mount, 'home/small/00'), join(mount, 'home/small/renamed')];
  if (existsSync(before)) renameSync(before, after);
  else if (existsSync(after)) renameSync(after, before);
}

function pick<T>(list: readonly T[], random: () => number): T {
  const chosen = list[Math.floor(random() * list.length)];
  if (chosen === undefined) throw new Error('nothing to pick from');
  return chosen;
}

function rewriteSome(files: readonly string[], budgetBytes: number, random: () => number): void {
  for (let spent = 0, tries = 0; spent < budgetBytes && tries < 2000; tries++) {
    const path = pick(files, random);
    const content = readFileSync(path);
    if (content.length === 0 || content.length > 3 << 20) continue;
    const at = Math.floor(random() * content.length);
    writeFileSync(path, Buffer.concat([content.subarray(0, at), noise(64, path), content.subarray(at)]));
    spent += content.length;
  }
}

function scatterWrites(path: string, count: number, random: () => number, seed: string): void {
  const pages = Math.floor(lstatSync(path).size / 4096);
  const file = openSync(path, 'r+');
  for (let index = 0; index < count; index++)
    writeSync(file, noise(4096, `${seed}-${index}`), 0, 4096, Math.floor(random() * pages) * 4096);
  closeSync(file);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
