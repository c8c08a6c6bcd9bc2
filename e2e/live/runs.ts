/** One backup of a disk in use, proven: the image is the device at the moment it was held, and its filesystem is sound. */
import { join } from 'node:path';
import { type BackupMemory, type BackupResult, backup, type LiveSource, type RunLogLine } from '@diskfleet/engine';
import type { Vault } from '@diskfleet/vault';
import { cliJson } from '../roundtrip/cli.ts';
import { checkFilesystem, differsAt, type Lab, newVault, restorePoint, type Writer, withTruth } from './lab.ts';

export interface ProvenBackup {
  readonly result: BackupResult;
  readonly log: readonly RunLogLine[];
}

export interface ProofOptions {
  readonly method: 'full' | 'incremental';
  /** As the agent keeps it between backups; what lets the next one read only what changed. */
  readonly memory?: BackupMemory;
  /** Stands between the engine and the platform, to disturb. */
  readonly disturb?: (live: LiveSource) => LiveSource;
}

/** In this process, as the agent does it: the record of writes goes on for the next. @throws when the image is not the device */
export async function provenBackup(
  lab: Lab,
  vault: Vault,
  { method, memory, disturb = (live) => live }: ProofOptions,
): Promise<ProvenBackup> {
  const disk = await lab.disk();
  const opened = await lab.platform.live?.open(disk, { writesTo: [lab.folder], keepFollowing: true });
  if (opened?.kind !== 'live') throw new Error(`not live: ${JSON.stringify(opened)}`);
  const [truth, image] = [join(lab.folder, 'truth.raw'), join(lab.folder, 'image.raw')];
  const log: RunLogLine[] = [];
  const { path, name, model, serial } = disk;
  const live = disturb(withTruth(opened.source, { device: lab.device, truth }));
  const request = {
    ...{ kind: 'disk' as const, method, compression: 'fast' as const, sectorBySector: false },
    ...{ machineId: 'live', machineName: 'live', source: 'live' },
    disks: [{ path, name, model, serial, live }],
    ...(memory && { memory }),
  };
  const op = { now: () => new Date(), workers: 2, onLog: (line: RunLogLine) => log.push(line) };
  const result = await backup(vault, request, op).finally(opened.close);
  await restorePoint(vault, result.point.id, image);
  const differs = await differsAt(truth, image);
  if (differs !== null) throw new Error(`${lab.kind}: the image differs from the held device at byte ${differs}`);
  await checkFilesystem(lab, image);
  return { result, log };
}

export function newMemory(): BackupMemory {
  let kept: Uint8Array | null = null;
  return {
    load: async () => kept,
    async save(bytes) {
      kept = bytes;
    },
  };
}

/** By the command, with nothing in between. @returns the longest wait of the writer before and during it, in milliseconds */
export async function timedBackup(lab: Lab, writer: Writer): Promise<{ calmMs: number; waitedMs: number }> {
  const { vault, path } = await newVault(lab);
  await vault.close();
  writer.reset();
  await new Promise((next) => setTimeout(next, 1500));
  const { longestMs: calmMs } = await writer.report();
  writer.reset();
  await cliJson(['backup', 'disk', lab.device, '--vault', path, '--method', 'full']);
  const { longestMs: waitedMs } = await writer.report();
  return { calmMs, waitedMs };
}
