/** Disks in use, backed up while programs write to them. `node e2e/live/main.ts 50` does it fifty times and tells the times. */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVault } from '@diskfleet/vault';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { liveLibc } from '../../agent/src/platform/linux/live/libc.ts';
import { whyNoTracing } from '../../agent/src/platform/linux/live/traceInstance.ts';
import { canLoop, hasTool } from '../images/tools.ts';
import { cliJson } from '../roundtrip/cli.ts';
import {
  checkFilesystem,
  exited,
  type FsKind,
  type Lab,
  MIB,
  makeLab,
  newVault,
  noise,
  restorePoint,
  startWriter,
} from './lab.ts';
import { newMemory, provenBackup } from './runs.ts';

const madePoint = z.object({ pointId: z.string() });
const libc = canLoop ? await liveLibc() : null;
const tools = ['mkfs.ext4', 'mkfs.xfs', 'mkfs.btrfs'].every(hasTool);
const possible = libc !== null && tools && whyNoTracing(libc) === null;

describe.skipIf(!possible && !process.env.CI)(
  'a disk in use (needs root, tracing, loop devices, mkfs of ext4, XFS, btrfs)',
  () => {
    let lab: Lab;
    const kinds: FsKind[] = ['ext4', 'xfs', 'btrfs'];
    afterEach(() => lab.close());

    describe.each(kinds)('%s', (kind) => {
      beforeEach(async () => {
        lab = await makeLab(kind);
      });

      test('under random writers, twice: the image is the device at the moment it was held, and sound', async () => {
        const writers = [startWriter(lab, 1), startWriter(lab, 2)];
        const { vault } = await newVault(lab);
        await Promise.all(writers.map((writer) => writer.goesOn(200)));
        const memory = newMemory();
        const full = await provenBackup(lab, vault, { method: 'full', memory });
        const next = await provenBackup(lab, vault, { method: 'incremental', memory });
        expect(next.log.map(({ text }) => text).join('\n')).toMatch(/writes were counted since/);
        expect(full.log.map(({ text }) => text).join('\n')).toMatch(/[Hh]eld still for/);
        await Promise.all(writers.map((writer) => writer.stop()));
        await vault.close();
      });
    });

    describe('ext4 again', () => {
      beforeEach(async () => {
        lab = await makeLab('ext4');
      });

      test('the next backup of a disk of which 1 % changed reads little more than that', async () => {
        const { vault } = await newVault(lab);
        const memory = newMemory();
        const full = await provenBackup(lab, vault, { method: 'full', memory });
        await writeFile(join(lab.mount, 'new'), noise(4 * MIB), { flush: true });
        const next = await provenBackup(lab, vault, { method: 'incremental', memory });
        expect(full.result.readBytes).toBeGreaterThan(70 * MIB);
        // Logs and trees move as the system likes: a fixed small number would test the weather.
        expect(next.result.readBytes).toBeLessThan(full.result.readBytes / 2);
        expect(next.result.newBytes).toBeGreaterThanOrEqual(4 * MIB);
        await vault.close();
      });

      test('writes the kernel lost count of: the disk is read from the start, and the image is right', async () => {
        const writer = startWriter(lab, 1);
        const { vault } = await newVault(lab);
        let [freezes, lost] = [0, false];
        const { log } = await provenBackup(lab, vault, {
          method: 'full',
          disturb: (live) => ({
            ...live,
            freeze() {
              freezes += 1;
              return live.freeze();
            },
            async takeChanges() {
              const changes = await live.takeChanges();
              // The first after the disk was read.
              if (lost || freezes === 0) return changes;
              lost = true;
              return null;
            },
          }),
        });
        expect(lost).toBe(true);
        expect(log.map(({ text }) => text).join('\n')).toMatch(/read from the start/);
        await writer.stop();
        await vault.close();
      });

      test('the comparison finds what a forgetful record of writes makes wrong', async () => {
        const { vault } = await newVault(lab);
        let freezes = 0;
        const forgetful = provenBackup(lab, vault, {
          method: 'full',
          disturb: (live) => ({
            ...live,
            freeze() {
              freezes += 1;
              return live.freeze();
            },
            async takeChanges() {
              // After the disk was read and before it is held.
              if (freezes === 1) await writeFile(join(lab.mount, 'still/0'), noise(12 * MIB), { flush: true });
              await live.takeChanges();
              return [];
            },
          }),
        });
        await expect(forgetful).rejects.toThrow(/differs from the held device/);
        await vault.close();
      });

      test('the command backs it up, and the restored filesystem is sound', async () => {
        const writer = startWriter(lab, 1);
        const { vault, path } = await newVault(lab);
        await vault.close();
        await writer.goesOn(50);
        const { pointId } = madePoint.parse(await cliJson(['backup', 'disk', lab.device, '--vault', path]));
        await writer.stop();
        const image = join(lab.folder, 'image.raw');
        const opened = await openVault({ kind: 'directory', path }, { kind: 'none' });
        await restorePoint(opened, pointId, image);
        await opened.close();
        await checkFilesystem(lab, image);
      });

      test('killed while volumes are held: writers go on, the vault has no new point, the next backup works', async () => {
        const writer = startWriter(lab, 1);
        const { vault, path } = await newVault(lab);
        await vault.close();
        const script = fileURLToPath(new URL('./stuckBackup.ts', import.meta.url));
        const agent = spawn(process.execPath, [script, lab.device, path], { stdio: ['ignore', 'pipe', 'inherit'] });
        await new Promise((held) => agent.stdout.once('data', held));
        agent.kill('SIGKILL');
        await exited(agent);
        await writer.goesOn(50);
        const opened = await openVault({ kind: 'directory', path }, { kind: 'none' });
        expect((await opened.listPoints({ machineId: 'live' })).points).toEqual([]);
        await provenBackup(lab, opened, { method: 'full' });
        await opened.close();
        await writer.stop();
      });
    });
  },
);
