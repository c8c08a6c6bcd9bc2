import type { RestorePlan } from '@diskfleet/engine';
import { cleanText } from '@diskfleet/protocol';
import { formatBytes, formatTable } from '../words.ts';

/** A plan in words: target, what goes where, what is lost, and the hash that confirms it. */
export function planText(plan: RestorePlan, forbidden: { readonly text: string } | null): string {
  const { target } = plan;
  const kind = target.create ? 'a new file' : `${target.name}${target.serial === '' ? '' : `, serial ${target.serial}`}`;
  const parts = [
    `Restore ${plan.pointId} (disk ${plan.diskIndex}) to ${target.path} (${kind}, ${formatBytes(target.sizeBytes)})`,
    partitionsText(plan),
    lossesText(plan),
  ];
  for (const step of plan.bootSteps) parts.push(`Then: ${step}`);
  for (const { text } of plan.warnings) parts.push(`Note: ${text}`);
  for (const { text } of plan.reasons) parts.push(`DOES NOT FIT: ${text}`);
  if (forbidden !== null) parts.push(`CANNOT BE WRITTEN NOW: ${forbidden.text}`);
  parts.push(`About ${formatBytes(plan.estimatedBytes)} to write.\nPlan: ${plan.planHash}`);
  return cleanLines(parts.filter((part) => part !== '').join('\n\n'));
}

function partitionsText({ partitions }: RestorePlan): string {
  if (partitions.length === 0) return '';
  const rows = partitions.map(({ number, action, label, filesystem, toStartBytes, toBytes, content, untouched }) => [
    String(number),
    content === 'leftOut' && action === 'create' ? `create ${untouched === true ? 'untouched' : 'empty'}` : action,
    formatBytes(toStartBytes),
    formatBytes(toBytes),
    filesystem ?? 'unknown',
    label,
  ]);
  return formatTable(['NO', 'ACTION', 'AT', 'SIZE', 'FILESYSTEM', 'LABEL'], rows);
}

function lossesText({ losses, target, partitions }: RestorePlan): string {
  if (losses.length === 0 && partitions.some(({ action }) => action === 'keep')) return 'Nothing is lost.';
  if (losses.length === 0) return target.create ? 'Nothing is lost: the file is new.' : 'Nothing is lost: the target is blank.';
  const lines = losses.map(({ number, label, filesystem, usedBytes, sizeBytes }) => {
    const used = usedBytes === null ? '' : `, ${formatBytes(usedBytes)} used`;
    return `  ${number === null ? 'the whole disk' : `partition ${number}`}: ${label} (${filesystem ?? 'unknown'}, ${formatBytes(sizeBytes)}${used})`;
  });
  return `WILL BE LOST on the target:\n${lines.join('\n')}`;
}

function cleanLines(text: string): string {
  return text.split('\n').map(cleanText).join('\n');
}
