import { backup, type DiskToBackUp } from '@diskfleet/engine';
import type { JobResult, JobSpecOf } from '@diskfleet/protocol';
import { backupMemory } from '../agent/backupMemory.ts';
import { AgentError } from '../errors.ts';
import { type ChosenDisk, type ChosenDisks, chooseDisks } from '../inventory/chooseDisks.ts';
import { listDisks } from '../inventory/takeInventory.ts';
import type { PlatformDisk } from '../platform/types.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import { type HeldDisks, holdDisks } from './holdDisks.ts';
import { type JobContext, say, withJobVault } from './jobContext.ts';

/** Disks are found by key, so a disk that got another name since the job was made is still the right one. */
export async function backupJob(context: JobContext, spec: JobSpecOf<'backup'>): Promise<JobResult> {
  const chosen = await disksOf(context, spec);
  for (const { disk, partitions } of chosen) {
    const { path, name, serial, sizeBytes } = disk;
    const what = partitions === undefined ? '' : `partition${partitions.length > 1 ? 's' : ''} ${partitions.join(', ')} of `;
    say(
      context,
      `Backing up ${what}${name} (${path}, serial ${serial || 'unknown'}, ${formatBytes(sizeBytes)}), ${spec.method}.`,
    );
  }
  // What the agent writes itself waits while volumes are held; the vault is behind a service.
  const options = { allowInconsistent: spec.allowInconsistent ?? false, writesTo: [], keepFollowing: true };
  const held = await holdDisks(context.platform, chosen, options);
  for (const text of held.warnings) context.op.onLog?.({ level: 'warning', text });
  const request = {
    kind: spec.backupKind,
    method: spec.method,
    compression: spec.compression,
    sectorBySector: spec.sectorBySector,
    ...optionsOf(spec),
    disks: chosen.map((one) => toBackUp(one, held)),
    machineId: context.identity.machineId,
    machineName: context.machineName,
    source: seriesOf(spec.backupKind, chosen, ({ key }) => key),
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

/** A system is selected here and now: since the job was made, disks may have come, gone or changed. */
async function disksOf(context: JobContext, spec: JobSpecOf<'backup'>): Promise<readonly ChosenDisk[]> {
  const { disks: present } = await listDisks(context.platform, context.settings);
  if (spec.backupKind === 'disk') return spec.diskKeys.map((key) => ({ disk: findByKey(present, key) }));
  const { firmware } = await context.platform.machine();
  const disks = spec.backupKind === 'system' ? [] : (spec.disks ?? []);
  const chosen = await chooseDisks(present, { kind: spec.backupKind, disks, firmware });
  if (spec.backupKind === 'system') saySelection(context, chosen, spec.diskKeys);
  return chosen.disks;
}

function findByKey(present: readonly PlatformDisk[], key: string): PlatformDisk {
  const disk = present.find((one) => one.key === key);
  if (disk === undefined) throw new AgentError('DISK_NOT_FOUND', `the disk ${key} is not plugged in`);
  return disk;
}

function saySelection(context: JobContext, { disks, selection }: ChosenDisks, planned: readonly string[]): void {
  for (const text of selection.warnings) say(context, text);
  const other = disks.filter(({ disk }) => !planned.includes(disk.key)).map(({ disk }) => disk.name);
  if (other.length === 0 && disks.length === planned.length) return;
  const text = `The system lies on other disks than when this job was made: ${disks.map(({ disk }) => disk.name).join(', ')}.`;
  context.op.onLog?.({ level: 'warning', text });
}

function optionsOf({ leaveOut, cutter, trustMetadata }: JobSpecOf<'backup'>) {
  return {
    ...(leaveOut === undefined ? {} : { leaveOut }),
    ...(cutter === undefined ? {} : { cutter }),
    ...(trustMetadata === undefined ? {} : { trustMetadata }),
  };
}

/** Names the series a backup belongs to: the same for the same choice, by job or by command. */
export function seriesOf(
  kind: JobSpecOf<'backup'>['backupKind'],
  chosen: readonly ChosenDisk[],
  nameOf: (disk: PlatformDisk) => string,
): string {
  if (kind === 'system') return 'system';
  const names = chosen.map(({ disk, partitions }) => {
    return kind === 'partition' && partitions ? `${nameOf(disk)}#${partitions.join(',')}` : nameOf(disk);
  });
  return names.sort().join('+');
}

export function toBackUp({ disk, partitions }: ChosenDisk, held: HeldDisks): DiskToBackUp {
  const { path, name, model, serial } = disk;
  return { path, name, model, serial, ...(partitions && { partitions }), ...held.liveOf(disk) };
}
