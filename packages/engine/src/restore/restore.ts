/**
 * The one way to write a disk. In this order, so that at no moment a target looks whole that is not:
 * plan confirmed → platform asked → target held exclusively → fingerprint and plan made anew and found equal → old table erased →
 * data written, pack by pack → flushed → read back and compared → table written → flushed → table read back.
 */
import { truncate } from 'node:fs/promises';
import {
  layoutFingerprint,
  openWritableFileDevice,
  type PartitionTable,
  readBytes,
  readPartitionTable,
  type WritableBlockDevice,
} from '@diskfleet/disk';
import type { Vault } from '@diskfleet/vault';
import { EngineError } from '../errors.ts';
import { reasonOf } from '../layout/readVolumes.ts';
import { cancelled } from '../threads/runThreads.ts';
import type { ConfirmedRestore, Operation, RestorePlan, RestoreResult } from '../types.ts';
import { mergeTables } from './leftOut.ts';
import { planForView, readTarget } from './planRestore.ts';
import { openSavedView, type SavedView } from './savedView.ts';
import { type TableAreas, tableAreas } from './tableAreas.ts';
import { compareData, eraseSignatures, type RestoreRun, writeData } from './writeData.ts';

/**
 * @throws EngineError `PLAN_NOT_CONFIRMED`, `PLAN_DOES_NOT_FIT`, `PLAN_CHANGED`, `TARGET_CHANGED`, `TARGET_IN_USE`,
 *   `TARGET_IS_SYSTEM_DISK`, `TARGET_IS_SOURCE` (nothing was written); `COMPARE_FAILED`, `CANCELLED`, `WORKER_FAILED`; DiskError;
 *   VaultError. When writing has begun, the target is left without a partition table.
 */
export async function restore(vault: Vault, confirmed: ConfirmedRestore, op: Operation): Promise<RestoreResult> {
  const startedAt = performance.now();
  const { plan } = confirmed;
  checkConfirmed(confirmed);
  await askPlatform(confirmed);
  const view = await openSavedView(await vault.openPoint(plan.pointId), plan.diskIndex, plan.partition);
  try {
    await checkPlanAnew(view, plan);
    if (op.signal?.aborted) throw cancelled();
    const target = await openTarget(plan);
    try {
      await checkFingerprint(target, plan);
      const counts = await overwrite({ vault, view, target, plan, op }, confirmed.compare ?? 'sample');
      return { ...counts, seconds: (performance.now() - startedAt) / 1000, warnings: plan.warnings.map(({ text }) => text) };
    } finally {
      await target.close();
    }
  } finally {
    await view.close();
  }
}

function checkConfirmed({ plan, confirmedHash }: ConfirmedRestore): void {
  if (confirmedHash !== plan.planHash) {
    throw new EngineError(
      'PLAN_NOT_CONFIRMED',
      `the confirmed plan is ${confirmedHash || '(none)'}, this one is ${plan.planHash}`,
    );
  }
  if (!plan.fits) {
    throw new EngineError('PLAN_DOES_NOT_FIT', plan.reasons.map(({ text }) => text).join('; '));
  }
}

async function askPlatform({ plan, guards }: ConfirmedRestore): Promise<void> {
  const why = await guards.whyForbidden(plan.target.path);
  if (why !== null) throw new EngineError(why.code, why.text);
}

async function checkPlanAnew(view: SavedView, plan: RestorePlan): Promise<void> {
  const anew = await planForView(view, plan, await readTarget(plan.target));
  const { fingerprint, sizeBytes, name } = plan.target;
  if (anew.target.fingerprint !== fingerprint || anew.target.sizeBytes !== sizeBytes) throw targetChanged(name);
  if (anew.planHash !== plan.planHash) {
    throw new EngineError(
      'PLAN_CHANGED',
      `what would happen to ${name} is no longer what was confirmed; make a new plan and look at it`,
    );
  }
}

function targetChanged(name: string): EngineError {
  return new EngineError(
    'TARGET_CHANGED',
    `${name} is not as it was when the plan was made; nothing was written, make a new plan`,
  );
}

async function openTarget({ target }: RestorePlan): Promise<WritableBlockDevice> {
  const { path, sizeBytes, sectorBytes, create } = target;
  if (!create) return openWritableFileDevice(path);
  const device = await openWritableFileDevice(path, { createSizeBytes: sizeBytes, sectorBytes });
  if (device.sizeBytes === sizeBytes) return device;
  const empty = device.sizeBytes === 0;
  await device.close();
  if (!empty) throw targetChanged(target.name);
  await truncate(path, sizeBytes);
  return openWritableFileDevice(path, { sectorBytes });
}

/** Once more now that nobody else can change it. */
async function checkFingerprint(device: WritableBlockDevice, { target }: RestorePlan): Promise<void> {
  if (target.create) return;
  if (device.sizeBytes !== target.sizeBytes || (await layoutFingerprint(device)) !== target.fingerprint)
    throw targetChanged(target.name);
}

async function overwrite(run: RestoreRun, compare: 'sample' | 'all'): Promise<Omit<RestoreResult, 'seconds' | 'warnings'>> {
  const { view, target, plan, op } = run;
  const merged = view.table === null ? null : mergeTables(view.table, plan, await tableOf(target));
  const areas = await tableAreas(view.device, view.table, { targetBytes: target.sizeBytes, merged });
  sayUntouched(run);
  await eraseSignatures(run);
  const written = await writeData(run, areas);
  await target.flush();
  const comparedBytes = await compareData(run, areas, { level: compare, foundIds: written.foundIds });
  // The last moment to stop: with its table the target is whole.
  if (op.signal?.aborted) throw cancelled();
  const tableBytes = await writeTable(run, areas);
  return {
    writtenBytes: written.writtenBytes + tableBytes,
    skippedBytes: written.skippedBytes,
    comparedBytes: comparedBytes + tableBytes,
  };
}

/** Entries of kept partitions are the target's own. A table too damaged to be read has none that is kept. */
async function tableOf(target: WritableBlockDevice): Promise<PartitionTable | null> {
  try {
    return await readPartitionTable(target);
  } catch (error) {
    reasonOf(error);
    return null;
  }
}

/** Until the new table is written the target has none: these lines then tell where kept partitions lie. */
function sayUntouched({ plan, op }: RestoreRun): void {
  for (const { number, label, action, toStartBytes, toBytes } of plan.partitions) {
    if (action !== 'keep') continue;
    const text = `Partition ${number} (${label}) stays as it is: ${toBytes} bytes from byte ${toStartBytes} of the target. Should this restore be interrupted, run it again: that brings its entry in the table back.`;
    op.onLog?.({ level: 'info', text });
  }
}

async function writeTable({ target, plan }: RestoreRun, { writes }: TableAreas): Promise<number> {
  let bytesWritten = 0;
  for (const { offsetBytes, bytes } of writes) {
    await target.write(offsetBytes, bytes);
    // One after the other: power lost in between must not leave a header before what it points to.
    await target.flush();
    bytesWritten += bytes.length;
  }
  for (const { offsetBytes, bytes } of writes) {
    if ((await readBytes(target, offsetBytes, bytes.length)).equals(bytes)) continue;
    const text = `${plan.target.name} gave back another partition table than was written: the disk is not to be trusted`;
    throw new EngineError('COMPARE_FAILED', text);
  }
  return bytesWritten;
}
