/**
 * `npm run bench -- trace [rounds]`: the ext4 volume of the bench disk (5 GiB), mounted, with the writes counted by the kernel's trace as
 * the agent keeps it between backups. A full backup, then rounds of 1 % change and an incremental each.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backup } from '@diskfleet/engine';
import { createVault } from '@diskfleet/vault';
import { linuxPlatform } from '../../agent/src/platform/linux/linuxPlatform.ts';
import { bigDisk, changeTree, makeDisk, windowsOf } from '../../e2e/images/disk.ts';
import { run, withLoop, withMount } from '../../e2e/images/tools.ts';
import { newMemory } from '../../e2e/live/runs.ts';

const work = process.env.DISKFLEET_BENCH_FOLDER ?? join(tmpdir(), 'diskfleet-bench');
const [pristine, volume] = [join(work, 'pristine.img'), join(work, 'trace.img')];
const rounds = Number(process.argv[2] ?? 3);
const MIB = 1 << 20;

async function oneBackup(device: string, method: 'full' | 'incremental'): Promise<string> {
  const disk = (await platform.look()).disks.find(({ path }) => path === device);
  const opened = disk && (await platform.live?.open(disk, { writesTo: [work], keepFollowing: true }));
  if (opened?.kind !== 'live') throw new Error(`not live: ${JSON.stringify(opened)}`);
  const request = {
    ...{ kind: 'disk' as const, method, compression: 'balanced' as const, sectorBySector: false, memory },
    ...{ machineId: 'bench', machineName: 'bench', source: 'trace' },
    disks: [{ path: device, name: 'trace', model: '', serial: 'trace', live: opened.source }],
  };
  const startedAt = performance.now();
  const result = await backup(vault, request, { now: () => new Date() }).finally(opened.close);
  const seconds = (performance.now() - startedAt) / 1000;
  const mib = (bytes: number) => (bytes / MIB).toFixed(0);
  return `| ${method} | ${seconds.toFixed(2)} | ${mib(result.readBytes)} | ${mib(result.storedBytes)} |`;
}

mkdirSync(work, { recursive: true });
if (!existsSync(pristine)) await makeDisk(pristine, bigDisk);
const [, ext] = windowsOf(bigDisk);
const window = [`skip=${ext.offsetBytes / MIB}`, `count=${ext.sizeBytes / MIB}`];
await run('dd', [`if=${pristine}`, `of=${volume}`, 'bs=1M', 'conv=sparse', ...window]);
const vault = await createVault(
  { kind: 'directory', path: join(work, 'trace-vault') },
  { encryption: { kind: 'passphrase', passphrase: 'bench' } },
);
const platform = linuxPlatform();
const memory = newMemory();
const lines: string[] = [];
try {
  await withLoop(volume, null, (device) =>
    withMount(device, 'ext4', 'nodiscard', async (mount) => {
      for (let round = 0; round <= rounds; round++) {
        if (round > 0) changeTree(mount, round, bigDisk);
        lines.push(await oneBackup(device, round === 0 ? 'full' : 'incremental'));
      }
    }),
  );
} finally {
  platform.live?.close();
  await vault.close();
  rmSync(volume);
  await rm(join(work, 'trace-vault'), { recursive: true, force: true });
}
process.stdout.write(`\n| backup | s | read MiB | stored MiB |\n|---|---|---|---|\n${lines.join('\n')}\n`);
