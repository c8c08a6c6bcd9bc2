import { backup, type DiskToBackUp } from '@diskfleet/engine';
import type { JobResult, JobSpecOf } from '@diskfleet/protocol';
import { AgentError } from '../errors.ts';
import { listDisks } from '../inventory/takeInventory.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import { type JobContext, say, withJobVault } from './jobContext.ts';

/** Disks are found by key, so a disk that got another name since the job was made is still the right one. */
export async function backupJob(context: JobContext, spec: JobSpecOf<'backup'>): Promise<JobResult> {
  const { disks: present } = await listDisks(context.platform, context.settings);
  const disks: DiskToBackUp[] = [];
  const live: string[] = [];
  for (const key of spec.diskKeys) {
    const disk = present.find((one) => one.key === key);
    if (disk === undefined) throw new AgentError('DISK_NOT_FOUND', `the disk ${key} is not plugged in`);
    if (disk.use.mounts.length > 0) {
      const text = `${disk.name} is ${disk.use.busyReason}: what changes while it is read may be saved half old, half new.`;
      context.op.onLog?.({ level: 'warning', text });
      live.push(text);
    }
    const { path, name, model, serial } = disk;
    say(context, `Backing up ${name} (${path}, serial ${serial || 'unknown'}, ${formatBytes(disk.sizeBytes)}), ${spec.method}.`);
    disks.push({ path, name, model, serial });
  }
  const request = {
    kind: spec.backupKind,
    method: spec.method,
    compression: spec.compression,
    sectorBySector: spec.sectorBySector,
    disks,
    machineId: context.identity.machineId,
    machineName: context.machineName,
    source: [...spec.diskKeys].sort().join('+'),
  };
  const result = await withJobVault(context, spec.vault, (vault) => backup(vault, request, context.op));
  const { point, method, sourceBytes, usedBytes, readBytes, newBytes, storedBytes, seconds } = result;
  const warnings = [...live, ...result.warnings].slice(0, 200);
  const [used, fresh, stored] = [usedBytes, newBytes, storedBytes].map(formatBytes);
  say(
    context,
    `Restore point ${point.id} is durable (${method}): used ${used}, new ${fresh}, stored ${stored}, in ${formatSeconds(seconds)}.`,
  );
  return {
    kind: 'backup',
    pointId: point.id,
    method,
    sourceBytes,
    usedBytes,
    readBytes,
    newBytes,
    storedBytes,
    seconds,
    warnings,
  };
}
