/** Real bytes for tests: a FAT disk file, backed up by the engine through the vault service with what an offer carries. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openFileDevice } from '@diskfleet/disk';
import { backup, readLayout } from '@diskfleet/engine';
import type { InventoryDisk, JobResult, OfferedJob } from '@diskfleet/protocol';
import { openVault } from '@diskfleet/vault';

/** Whether this machine cannot run `makeFatDisk`. @throws Error in CI, where tests must not leave themselves out */
export function lacksFatTools(): boolean {
  const missing = ['mkfs.fat', 'mcopy'].filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (missing.length > 0 && process.env.CI) throw new Error(`${missing.join(' and ')} are needed (dosfstools, mtools)`);
  return missing.length > 0;
}

/** A 16 MiB disk file without a partition table, holding one FAT filesystem with these files. */
export function makeFatDisk(file: string, files: Record<string, Buffer>): void {
  mkdirSync(path.dirname(file), { recursive: true });
  execFileSync('mkfs.fat', ['-C', '-n', 'DATA', file, '16384'], { stdio: 'ignore' });
  for (const [name, bytes] of Object.entries(files)) {
    const source = `${file}.part`;
    writeFileSync(source, bytes);
    execFileSync('mcopy', ['-i', file, source, `::${name}`], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  }
}

/** As an agent lists a disk file. */
export async function describeFile(file: string, serial: string): Promise<InventoryDisk> {
  const device = await openFileDevice(file);
  try {
    const { sizeBytes, sectorBytes, table, tableId, partitions, filesystem, fingerprint, warnings } = await readLayout(device);
    const facts = { key: `file:${serial}`, path: file, name: path.basename(file), model: 'Disk file', serial, bus: 'file' };
    const flags = { isSystemDisk: false, removable: false, readOnly: false, busyReason: null };
    const mounted = partitions.map((partition) => ({ ...partition, mountPoint: null }));
    return {
      ...facts,
      ...flags,
      sizeBytes,
      sectorBytes,
      table,
      tableId,
      partitions: mounted,
      filesystem,
      fingerprint,
      warnings: [...warnings],
    };
  } finally {
    await device.close();
  }
}

/** Does what the agent does with an offered backup. */
export async function runBackup(job: OfferedJob, machine: { id: string; name: string }, disk: InventoryDisk): Promise<JobResult> {
  if (job.spec.kind !== 'backup') throw new Error('not a backup');
  const { baseUrl, token, keys } = job.spec.vault;
  const key = (text: string | null) => (text ? Buffer.from(text, 'base64') : null);
  const idKey = Buffer.from(keys.idKey, 'base64');
  const unlock = { kind: 'keys', keys: { idKey, publicKey: key(keys.publicKey), privateKey: key(keys.privateKey) } } as const;
  const vault = await openVault({ kind: 'service', baseUrl, token }, unlock);
  try {
    const { path: file, name, model, serial } = disk;
    const { spec } = job;
    const done = await backup(
      vault,
      {
        kind: 'disk',
        method: spec.method,
        disks: [{ path: file, name, model, serial }],
        machineId: machine.id,
        machineName: machine.name,
        source: serial,
        sectorBySector: false,
        compression: 'balanced',
      },
      { now: () => new Date(), workers: 1 },
    );
    const { point, method, readBytes, seconds, warnings } = done;
    // Numbers an agent might make up: the server must not believe them.
    const invented = { sourceBytes: 1, usedBytes: 2, newBytes: 3, storedBytes: 4 };
    return { kind: 'backup', pointId: point.id, method, readBytes, seconds, warnings: [...warnings], ...invented };
  } finally {
    await vault.close();
  }
}
