import { backup, type DiskToBackUp } from '@diskfleet/engine';
import type { JobResult, JobSpecOf } from '@diskfleet/protocol';
import { backupMemory } from '../agent/backupMemory.ts';
import { AgentError } from '../errors.ts';
import { listDisks } from '../inventory/takeInventory.ts';
import type { PlatformDisk } from '../platform/types.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import { type HeldDisks, holdDisks } from './holdDisks.ts';
import { type JobContext, say, withJobVault } from './jobContext.ts';

/** Disks are found by key, so a disk that got another name since the job was made is still the right one. */
export async function backupJob(context: JobContext, spec: JobSpecOf<'backup'>): Promise<JobResult> {
  const { disks: present } = await listDisks(context.platform, context.settings);
  const found: PlatformDisk[] = [];
  for (const key of spec.diskKeys) {
    const disk = present.find((one) => one.key === key);
    if (disk === undefined) throw new AgentError('DISK_NOT_FOUND', `the disk ${key} is not plugged in`);
    const { path, name, serial } = disk;
    say(context, `Backing up ${name} (${path}, serial ${serial || 'unknown'}, ${formatBytes(disk.sizeBytes)}), ${spec.method}.`);
    found.push(disk);
  }
  // What the agent writes itself waits while volumes are held; the vault is behind a service.
  const options = { allowInconsistent: spec.allowInconsistent ?? false, writesTo: [], keepFollowing: true };
  const held = await holdDisks(context.platform, found, options);
  for (const text of held.warnings) context.op.onLog?.({ level: 'warning', text });
  const request = {
    kind: spec.backupKind,
    method: spec.method,
    compression: spec.compression,
    sectorBySector: spec.sectorBySector,
    disks: found.map((disk) => toBackUp(disk, held)),
    machineId: context.identity.machineId,
    machineName: context.machineName,
    source: [...spec.diskKeys].sort().join('+'),
  };
  const result = await withJobVault(context, spec.vault, (vault) => {
    const memory = backupMemory(context.agentFolder, { ...request, vaultId: vault.id });
    return backup(vault, { ...request, memory }, held.quiet(context.op));
  }).finally(held.close);
  const { point, method, sourceBytes, usedBytes, readBytes, newBytes, storedBytes, seconds } = result;
  const warnings = [...held.warnings, ...result.warnings].slice(0, 200);
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

function toBackUp(disk: PlatformDisk, held: HeldDisks): DiskToBackUp {
  const { path, name, model, serial } = disk;
  return { path, name, model, serial, ...held.liveOf(disk) };
}
