/** What a backup of a system or of partitions takes, from the disks as they are now; by the engine's rules, as the server shows them. */
import { type BackupChoice, type BackupSelection, partitionsToTake, selectBackup } from '@diskfleet/engine';
import { AgentError } from '../errors.ts';
import type { PlatformDisk } from '../platform/types.ts';
import { describeDisks } from './takeInventory.ts';

export interface ChosenDisk {
  readonly disk: PlatformDisk;
  /** Absent: all of the disk. */
  readonly partitions?: readonly number[];
}

export interface ChosenDisks {
  readonly disks: readonly ChosenDisk[];
  readonly selection: BackupSelection;
}

/** @throws AgentError `SYSTEM_NOT_FOUND`, `DISK_NOT_FOUND`, `PARTITION_NOT_FOUND`, `INVALID_INPUT` */
export async function chooseDisks(present: readonly PlatformDisk[], choice: BackupChoice): Promise<ChosenDisks> {
  const named = new Set(choice.disks.map(({ key }) => key));
  const looked = choice.kind === 'system' ? present : present.filter(({ key }) => named.has(key));
  const selection = selectBackup(await describeDisks(looked), choice);
  const { problem } = selection;
  if (problem !== null) throw new AgentError(problem.code, problem.text);
  const disks = selection.disks.map((chosen): ChosenDisk => {
    const disk = present.find(({ key }) => key === chosen.key);
    if (disk === undefined) throw new AgentError('DISK_NOT_FOUND', `the disk ${chosen.key} is not plugged in`);
    const partitions = partitionsToTake(chosen, choice.kind);
    return partitions === undefined ? { disk } : { disk, partitions };
  });
  return { disks, selection };
}
