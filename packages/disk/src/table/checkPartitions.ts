import type { Partition } from './partitionTable.ts';

/** A partition as the table claims it, before it was held against the disk. */
export type ClaimedPartition = Omit<Partition, 'typeName'>;

/**
 * Holds the claims against the disk: cuts what reaches past its last whole sector, drops what lies wholly outside.
 * Nothing is dropped that could be read.
 */
export function fitToDisk<P extends { number: number; startBytes: number; sizeBytes: number }>(
  claimed: readonly P[],
  disk: { sizeBytes: number; sectorBytes: number },
  warnings: string[],
): P[] {
  const kept: P[] = [];
  const diskEndBytes = Math.floor(disk.sizeBytes / disk.sectorBytes) * disk.sectorBytes;
  for (const partition of claimed) {
    const roomBytes = diskEndBytes - partition.startBytes;
    if (roomBytes <= 0) {
      warnings.push(`Partition ${partition.number} lies wholly behind the end of the disk and is left out.`);
    } else if (partition.sizeBytes > roomBytes) {
      warnings.push(`Partition ${partition.number} reaches past the end of the disk; only the part on the disk is seen.`);
      kept.push({ ...partition, sizeBytes: roomBytes });
    } else {
      kept.push(partition);
    }
  }
  return kept;
}

/** Names every partition that begins inside another one (an extended partition may hold logical ones). */
export function warnOfOverlaps(partitions: readonly ClaimedPartition[], warnings: string[]): void {
  for (const role of ['extended', 'logical'] as const) {
    const rivals = partitions.filter((partition) => partition.role === 'primary' || partition.role === role);
    rivals.sort((left, right) => left.startBytes - right.startBytes || left.number - right.number);
    let reach = rivals[0];
    for (const partition of rivals.slice(1)) {
      if (reach === undefined) break;
      if (partition.startBytes < reach.startBytes + reach.sizeBytes) {
        const sentence = `Partitions ${reach.number} and ${partition.number} overlap.`;
        if (!warnings.includes(sentence)) warnings.push(sentence);
      }
      if (partition.startBytes + partition.sizeBytes > reach.startBytes + reach.sizeBytes) reach = partition;
    }
  }
}
