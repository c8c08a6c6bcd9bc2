/** A PC described by a JSON file, its disks being regular files: several agents on one machine, and tests without root. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { basename } from 'node:path';
import * as z from 'zod';
import { AgentError } from '../errors.ts';
import { type DiskUse, type DiskView, type MachineFacts, type Platform, type PlatformDisk, unusedDisk } from './types.ts';

const fakeMachineShape = z.object({
  hostname: z.string().min(1),
  bootId: z.string().default('00000000-0000-4000-8000-000000000000'),
  timeZone: z.string().default('UTC'),
  vendor: z.string().default('Diskfleet'),
  model: z.string().default('Fake PC'),
  serial: z.string().default(''),
  firmware: z.enum(['uefi', 'bios']).nullable().default(null),
  disks: z.array(
    z.object({
      path: z.string().min(1),
      key: z.string().min(1).optional(),
      name: z.string().optional(),
      model: z.string().default('Fake disk'),
      serial: z.string().min(1),
      bus: z.string().default('sata'),
      sectorBytes: z.union([z.literal(512), z.literal(4096)]).default(512),
      isSystemDisk: z.boolean().default(false),
      removable: z.boolean().default(false),
      busyReason: z.string().nullable().default(null),
      /** What the made-up system mounts of it. */
      mounts: z.array(z.object({ mountPoint: z.string().min(1), startBytes: z.number().int().min(0) })).default([]),
    }),
  ),
});
type FakeMachine = z.infer<typeof fakeMachineShape>;

/** The file is read again at every look, so a test can plug disks in and out by rewriting it. */
export function fakePlatform(machineFile: string): Platform {
  return {
    name: 'fake',
    machine: async () => factsOf(await readMachine(machineFile)),
    look: async () => viewOf(await readMachine(machineFile)),
    // Nobody writes to made-up disks, mounted or not.
    live: { open: async () => ({ kind: 'idle' }), isHolding: () => false, whenLetGo: async () => {}, close: () => {} },
  };
}

async function readMachine(file: string): Promise<FakeMachine> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new AgentError('INVALID_INPUT', `the fake machine ${file} cannot be read`, { cause });
  }
  try {
    return fakeMachineShape.parse(JSON.parse(text));
  } catch (cause) {
    throw new AgentError('INVALID_INPUT', `the fake machine ${file} is not valid: ${String(cause)}`, { cause });
  }
}

function factsOf(fake: FakeMachine): MachineFacts {
  return {
    hostname: fake.hostname,
    os: { platform: 'fake', name: 'Fake OS', version: '1', kernel: '', arch: process.arch },
    hardware: {
      vendor: fake.vendor,
      model: fake.model,
      serial: fake.serial,
      cpu: 'fake',
      cores: availableParallelism(),
      memoryBytes: totalmem(),
    },
    firmware: fake.firmware,
    bootId: fake.bootId,
    timeZone: fake.timeZone,
  };
}

async function viewOf(fake: FakeMachine): Promise<DiskView> {
  const disks: PlatformDisk[] = [];
  const uses = new Map<string, DiskUse>();
  for (const disk of fake.disks) {
    const found = await stat(disk.path).catch(() => null);
    // A file that is not there is a disk that is not plugged in.
    if (found === null || found.size === 0) continue;
    const path = await realpath(disk.path);
    const busyReason = disk.busyReason ?? (disk.isSystemDisk ? 'the running system lives on it' : null);
    const use: DiskUse = { isSystemDisk: disk.isSystemDisk, busyReason, mounts: disk.mounts };
    uses.set(path, use);
    disks.push({
      key: disk.key ?? `serial:${disk.serial}`,
      path,
      name: disk.name ?? basename(path),
      model: disk.model,
      serial: disk.serial,
      sizeBytes: found.size,
      sectorBytes: disk.sectorBytes,
      bus: disk.bus,
      removable: disk.removable,
      readOnly: false,
      use,
    });
  }
  const useOf = async (path: string) => uses.get(await realpath(path).catch(() => path)) ?? unusedDisk;
  return { disks, canReadDisks: true, limitation: null, useOf };
}
