/** Backups of the small world: what one would take, and what comes of it. */
import type { BackupPlanView, ChosenDisk, InventoryDisk, MachineView, PointDetail, PointDisk } from '@diskfleet/protocol';
import * as z from 'zod';
import { GiB, pointDisk } from './disks.ts';

const disks = z.array(z.object({ key: z.string(), partitions: z.array(z.number()).optional() })).optional();
const backupKind = z.enum(['system', 'disk', 'partition']).default('disk');
export const planInput = z.object({ machineId: z.string(), backupKind, disks });
export const backupInput = planInput.extend({ vaultId: z.string(), method: z.enum(['full', 'incremental', 'differential']) });

interface Wanted {
  readonly backupKind: 'system' | 'disk' | 'partition';
  readonly disks?: readonly ChosenDisk[] | undefined;
}

export function planOf(machine: MachineView, wanted: Wanted): BackupPlanView {
  const { disks: all } = machine.inventory;
  const taken = all.filter((disk) => isTaken(disk, wanted));
  const plans = taken.map((disk) => planDisk(disk, wanted));
  const parts = plans.flatMap((disk) => disk.partitions);
  const sum = (included: boolean) =>
    parts.filter((part) => part.included === included).reduce((total, part) => total + part.usedBytes, 0);
  const out = parts.filter((part) => !part.included && part.usedBytes > GiB);
  return {
    backupKind: wanted.backupKind,
    disks: plans,
    leftOutDisks: all
      .filter((disk) => !taken.includes(disk))
      .map(({ key, name, sizeBytes, removable }) => ({
        key,
        name,
        sizeBytes,
        why: removable ? 'a removable disk' : 'a data disk: the system does not need it to start',
      })),
    includedBytes: sum(true),
    leftOutBytes: sum(false),
    warnings: wanted.backupKind === 'system' ? out.map((part) => `${part.label} holds data and is left out.`) : [],
    problem: plans.length === 0 ? { code: 'SYSTEM_NOT_FOUND', text: 'No disk of this PC holds a system.' } : null,
  };
}

function isTaken(disk: InventoryDisk, { backupKind: kind, disks: chosen }: Wanted): boolean {
  return kind === 'system' ? disk.isSystemDisk : (chosen?.some(({ key }) => key === disk.key) ?? false);
}

function planDisk(disk: InventoryDisk, { backupKind: kind, disks: chosen }: Wanted): BackupPlanView['disks'][number] {
  const numbers = chosen?.find(({ key }) => key === disk.key)?.partitions;
  return {
    key: disk.key,
    name: disk.name,
    partitions: disk.partitions.map((part) => {
      const data = part.mountPoint?.startsWith('/mnt') ?? false;
      const included = kind === 'system' ? !data : (numbers?.includes(part.number) ?? true);
      return {
        number: part.number,
        included,
        why: kind !== 'system' ? 'chosen' : data ? `data: mounted at ${part.mountPoint}` : whyOf(part.mountPoint, part.typeName),
        label: part.filesystem?.label || part.name || part.typeName,
        filesystem: part.filesystem?.kind ?? null,
        sizeBytes: part.sizeBytes,
        usedBytes: part.filesystem?.usedBytes ?? part.sizeBytes,
      };
    }),
  };
}

function whyOf(mountPoint: string | null, typeName: string): string {
  return mountPoint ? `the running system mounts it at ${mountPoint}` : `${typeName}: the system needs it to start`;
}

/** The disks of a point made by such a plan. */
export function pointDisks(machine: MachineView, wanted: Wanted): PointDisk[] {
  const plan = planOf(machine, wanted);
  return plan.disks.flatMap((planned, index) => {
    const disk = machine.inventory.disks.find(({ key }) => key === planned.key);
    if (!disk) return [];
    const out = new Set(planned.partitions.filter((part) => !part.included).map((part) => part.number));
    const whole = pointDisk(disk, index);
    return [
      {
        ...whole,
        partitions: whole.partitions.map((part) => (out.has(part.number) ? { ...part, content: 'leftOut' as const } : part)),
      },
    ];
  });
}

export function sizesOf(made: readonly PointDisk[]): Pick<PointDetail, 'sizeBytes' | 'usedBytes'> {
  return {
    sizeBytes: made.reduce((sum, disk) => sum + disk.sizeBytes, 0),
    usedBytes: made.reduce((sum, disk) => sum + disk.usedBytes, 0),
  };
}
