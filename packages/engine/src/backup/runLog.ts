/** What a run tells the admin about its sources, in words. */
import { sizeText } from '../sizeText.ts';
import type { BackupRequest, Operation, UsedDisk } from '../types.ts';
import type { Lineage } from './chooseParent.ts';
import type { ScannedDisk } from './scan.ts';

/** Warnings that stay with the point; each is logged too. */
export function warningsOf(scanned: readonly ScannedDisk[], op: Operation): string[] {
  const warnings: string[] = [];
  for (const { disk, used } of scanned) {
    const unclean = disk.live === undefined ? inUse(used) : [];
    for (const warning of [...used.layout.warnings, ...unclean]) {
      const text = scanned.length > 1 ? `${disk.name}: ${warning}` : warning;
      warnings.push(text);
      op.onLog?.({ level: 'warning', text });
    }
    for (const file of used.leftOutFiles) {
      op.onLog?.({ level: 'info', text: `${disk.name}: the content of ${file} is left out: nothing reads it after a restart.` });
    }
    if (used.leftOutBytes > 0) {
      const text = `${disk.name}: ${sizeText(used.leftOutBytes)} behind the last partition belong to none and are left out; a sector-by-sector backup keeps them.`;
      op.onLog?.({ level: 'info', text });
    }
  }
  return warnings;
}

/** What is written while we read may be half in the image: said, because only the caller knows whether a snapshot was taken. */
function inUse({ layout }: UsedDisk): string[] {
  const volumes = [{ what: 'the disk', filesystem: layout.filesystem }];
  for (const { number, filesystem, content } of layout.partitions) {
    if (content !== 'leftOut') volumes.push({ what: `partition ${number}`, filesystem });
  }
  return volumes
    .filter(({ filesystem }) => filesystem?.clean === false)
    .map(
      ({ what }) =>
        `${what}: its filesystem was in use or not shut down cleanly; after a restore it needs the check its system makes at start`,
    );
}

export function sayMethod(request: BackupRequest, { method, parent }: Lineage, op: Operation): void {
  if (method !== request.method) {
    op.onLog?.({
      level: 'info',
      text: `There is no earlier restore point to build on, so this ${request.method} backup is a full one.`,
    });
  } else if (parent !== null) {
    op.onLog?.({ level: 'info', text: `Building on restore point ${parent.id} of ${parent.createdAt}.` });
  }
}
