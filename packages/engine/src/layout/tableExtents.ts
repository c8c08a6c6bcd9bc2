import { type Extent, intersectExtents, mergeExtents, type PartitionTable } from '@diskfleet/disk';

/** Where a disk's table itself lies, wherever partitions claim to lie: first sector, both copies of a GPT, boot records of logical partitions. */
export function tableExtents(table: PartitionTable, diskBytes: number): Extent[] {
  const { sectorBytes } = table;
  const places: Extent[] = [{ offsetBytes: 0, lengthBytes: sectorBytes }];
  if (table.kind === 'gpt') {
    const entriesBytes = Math.ceil((table.entryCount * table.entryBytes) / sectorBytes) * sectorBytes;
    const backup = Math.max(0, diskBytes - entriesBytes - sectorBytes);
    places.push({ offsetBytes: 0, lengthBytes: 2 * sectorBytes });
    places.push({ offsetBytes: table.entriesOffsetBytes, lengthBytes: entriesBytes });
    places.push({ offsetBytes: backup, lengthBytes: entriesBytes + sectorBytes });
  }
  for (const { role, startBytes, ebrOffsetBytes } of table.partitions) {
    if (ebrOffsetBytes !== null) places.push({ offsetBytes: ebrOffsetBytes, lengthBytes: sectorBytes });
    // The chain begins here, whether or not its first link names a partition.
    if (role === 'extended') places.push({ offsetBytes: startBytes, lengthBytes: sectorBytes });
  }
  return intersectExtents(mergeExtents(places), [{ offsetBytes: 0, lengthBytes: diskBytes }]);
}
