/** Overwriting a disk from the console: local switch, grant, target by key, plan made anew, guards; only then the engine writes. */
import { join } from 'node:path';
import { planRestore, type RestorePlan, restore } from '@diskfleet/engine';
import type { JobResult, JobSpecOf } from '@diskfleet/protocol';
import { AgentError } from '../errors.ts';
import { identityOfFile } from '../inventory/diskFiles.ts';
import type { TargetPlace } from '../inventory/findDisk.ts';
import { platformGuards } from '../inventory/guards.ts';
import { listDisks } from '../inventory/takeInventory.ts';
import { formatBytes, formatSeconds } from '../words.ts';
import { checkWriteGrant } from './checkWriteGrant.ts';
import { type JobContext, say, withJobVault } from './jobContext.ts';

export async function restoreJob(context: JobContext, spec: JobSpecOf<'restore'>): Promise<JobResult> {
  if (!context.settings.allowRemoteDiskWrites) throw new AgentError('REMOTE_WRITES_OFF', '');
  const grant = checkWriteGrant(context, spec);
  // Spent before anything is tried: whatever happens now, this permission never works again.
  context.journal.spend(grant.nonce, grant.expiresAt);
  const target = await findTargetPlace(context, spec);
  const guards = platformGuards(context.platform);
  const forbidden = await guards.whyForbidden(target.path);
  if (forbidden !== null) throw new AgentError(forbidden.code, forbidden.text);
  const result = await withJobVault(context, spec.vault, async (vault) => {
    const plan = await planRestore(vault, { pointId: spec.pointId, diskIndex: spec.diskIndex, target });
    checkPlan(plan, spec, grant.targetFingerprint);
    say(context, `Restoring ${spec.pointId} to ${target.name} (${target.path}), confirmed by ${grant.approvedBy}.`);
    return restore(vault, { plan, confirmedHash: spec.planHash, guards }, context.op);
  });
  const { writtenBytes, skippedBytes, comparedBytes, seconds, warnings } = result;
  const [written, skipped, compared] = [writtenBytes, skippedBytes, comparedBytes].map(formatBytes);
  say(context, `Wrote ${written}, ${skipped} matched already, read back and compared ${compared}, in ${formatSeconds(seconds)}.`);
  return { kind: 'restore', writtenBytes, skippedBytes, comparedBytes, seconds, warnings: warnings.slice(0, 200) };
}

async function findTargetPlace({ platform, settings }: JobContext, { target }: JobSpecOf<'restore'>): Promise<TargetPlace> {
  if (target.kind === 'newFile') {
    if (settings.diskFilesFolder === null) throw new AgentError('DISK_NOT_FOUND', 'this PC has no folder for disk files');
    const path = join(settings.diskFilesFolder, target.fileName);
    return { path, name: target.fileName, serial: identityOfFile(path).serial };
  }
  const { disks } = await listDisks(platform, settings);
  const disk = disks.find(({ key }) => key === target.diskKey);
  if (disk === undefined) throw new AgentError('DISK_NOT_FOUND', `the target ${target.diskKey} is not plugged in`);
  return { path: disk.path, name: disk.name, serial: disk.serial };
}

function checkPlan(plan: RestorePlan, spec: JobSpecOf<'restore'>, confirmedFingerprint: string): void {
  if (plan.target.fingerprint !== confirmedFingerprint) {
    throw new AgentError('TARGET_CHANGED', `${plan.target.name} holds something else now than when the plan was confirmed`);
  }
  if (!plan.fits) throw new AgentError('PLAN_DOES_NOT_FIT', plan.reasons.map(({ text }) => text).join('; '));
  if (plan.planHash !== spec.planHash) {
    throw new AgentError('PLAN_CHANGED', `confirmed was ${spec.planHash}, made here now is ${plan.planHash}`);
  }
}
