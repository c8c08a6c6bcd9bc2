/** Backups a person asks for, and what they would take: decided from the machine's last inventory by the engine's own rules. */
import { type BackupSelection, selectBackup } from '@diskfleet/engine';
import type { BackupKind, BackupPlanView, ChosenDisk, Inventory, JobSpecOf, JobView, UserView } from '@diskfleet/protocol';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { findVault } from '../vaults/vaults.ts';
import { approvedMachine, createJob } from './createJob.ts';

interface PlanInput {
  readonly machineId: string;
  readonly backupKind: BackupKind;
  readonly disks?: readonly ChosenDisk[] | undefined;
  readonly diskKeys?: readonly string[] | undefined;
}

type BackupOptions = Pick<JobSpecOf<'backup'>, 'leaveOut' | 'cutter' | 'trustMetadata' | 'allowInconsistent'>;

interface BackupInput extends PlanInput, BackupOptions {
  readonly vaultId: string;
  readonly method: JobSpecOf<'backup'>['method'];
  readonly compression: JobSpecOf<'backup'>['compression'];
  readonly sectorBySector: boolean;
}

/** What can be written again at any time, or is never read again: left out unless a person says otherwise. */
const usuallyLeftOut: readonly NonNullable<BackupOptions['leaveOut']>[number][] = ['pagefile', 'hibernation', 'swap'];

/** Works for machines that are away: by what they said last. */
export async function planBackup(ctx: Ctx, input: PlanInput): Promise<BackupPlanView> {
  const { inventory } = await approvedMachine(ctx, input.machineId);
  return { backupKind: input.backupKind, ...select(inventory, input) };
}

/** The agent of a `system` backup selects again from the disks as they are when it runs. */
export async function backupNow(ctx: Ctx, user: UserView, input: BackupInput): Promise<JobView> {
  const { machineId, vaultId, method, backupKind, compression, sectorBySector } = input;
  const { inventory } = await approvedMachine(ctx, machineId);
  await findVault(ctx, vaultId);
  const { disks, problem } = select(inventory, input);
  if (problem !== null) throw new ServerError(problem.code, problem.text);
  const diskKeys = disks.map(({ key }) => key);
  const request = {
    kind: 'backup',
    backupKind,
    method,
    diskKeys,
    ...(backupKind === 'partition' ? { disks: chosen(input) } : {}),
    compression,
    sectorBySector,
    leaveOut: sectorBySector ? [] : [...(input.leaveOut ?? usuallyLeftOut)].sort(),
    ...defined(input),
  } as const;
  return createJob(ctx, user, { machineId, vaultId, pointId: null, subject: subjectOf(backupKind, disks), request, diskKeys });
}

function select(inventory: Inventory, input: PlanInput): BackupSelection {
  return selectBackup(inventory.disks, { kind: input.backupKind, disks: chosen(input), firmware: inventory.firmware });
}

/** Each disk once, by key, so that equal requests are equal. */
function chosen({ disks, diskKeys = [] }: PlanInput): ChosenDisk[] {
  const byKey = new Map<string, Set<number> | null>();
  for (const { key, partitions } of disks ?? diskKeys.map((key): ChosenDisk => ({ key }))) {
    const known = byKey.get(key);
    if (partitions === undefined) byKey.set(key, known ?? null);
    else byKey.set(key, new Set([...(known ?? []), ...partitions]));
  }
  return [...byKey]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, numbers]) => (numbers === null ? { key } : { key, partitions: [...numbers].sort((a, b) => a - b) }));
}

/** Only what was said: an agent that does not know an option is not told its default. */
function defined({ cutter, trustMetadata, allowInconsistent }: BackupOptions): Omit<BackupOptions, 'leaveOut'> {
  return {
    ...(cutter === undefined ? {} : { cutter }),
    ...(trustMetadata === undefined ? {} : { trustMetadata }),
    ...(allowInconsistent === undefined ? {} : { allowInconsistent }),
  };
}

function subjectOf(kind: BackupKind, disks: BackupSelection['disks']): string {
  if (kind === 'disk') return disks.map(({ name }) => name).join(', ');
  if (kind === 'system') return `system (${disks.map(({ name }) => name).join(', ')})`;
  const parts = disks.map(({ name, partitions }) => {
    const numbers = partitions.filter(({ why }) => why === 'chosen').map(({ number }) => number);
    return `${numbers.length === 1 ? 'partition' : 'partitions'} ${numbers.join(', ')} of ${name}`;
  });
  return parts.join('; ');
}
