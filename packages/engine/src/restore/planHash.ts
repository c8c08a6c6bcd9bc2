import { createHash } from 'node:crypto';
import type { RestorePlan } from '../types.ts';

/**
 * SHA-256 over everything a plan will do and to what: 64 hex digits. Texts for people (`reasons`, `warnings`) are left out.
 *
 * The hashed text is `diskfleet restore plan 1`, then one field per line as `name length:value` (UTF-8 byte length, so no value can
 * pretend to be two fields); lists are preceded by their count.
 */
export function hashPlan(plan: Omit<RestorePlan, 'planHash' | 'reasons' | 'warnings'>): string {
  const hash = createHash('sha256').update('diskfleet restore plan 1\n');
  const add = (name: string, value: string | number | boolean | null) => {
    const text = value === null ? '' : String(value);
    hash.update(`${name} ${value === null ? 'null' : Buffer.byteLength(text)}:${text}\n`);
  };
  add('fits', plan.fits);
  add('point', plan.pointId);
  add('disk', plan.diskIndex);
  add('partition', plan.partition);
  add('source bytes', plan.source.sizeBytes);
  add('source used', plan.source.usedBytes);
  add('source table', plan.source.table);
  const { target } = plan;
  add('target path', target.path);
  add('target name', target.name);
  add('target serial', target.serial);
  add('target bytes', target.sizeBytes);
  add('target sector', target.sectorBytes);
  add('target fingerprint', target.fingerprint);
  add('target create', target.create);
  add('partitions', plan.partitions.length);
  for (const partition of plan.partitions) {
    add('number', partition.number);
    add('action', partition.action);
    add('from', `${partition.fromStartBytes}+${partition.fromBytes}`);
    add('to', `${partition.toStartBytes}+${partition.toBytes}`);
    add('label', partition.label);
    add('filesystem', partition.filesystem);
    if (partition.content !== undefined) add('content', `${partition.content} ${partition.untouched === true}`);
  }
  add('losses', plan.losses.length);
  for (const loss of plan.losses) {
    add('number', loss.number);
    add('label', loss.label);
    add('filesystem', loss.filesystem);
    add('used', loss.usedBytes);
    add('bytes', loss.sizeBytes);
  }
  add('boot steps', plan.bootSteps.length);
  for (const step of plan.bootSteps) add('step', step);
  add('estimated', plan.estimatedBytes);
  return hash.digest('hex');
}
