/**
 * The few sectors that make a disk a disk: written last, so that an interrupted restore leaves no table that looks valid, and
 * erased first, so that neither the old table nor a half of the new one is ever believed.
 */
import { type BlockDevice, type Extent, encodePartitionTable, type PartitionTable, readBytes } from '@diskfleet/disk';

const MIB = 1024 * 1024;

export interface TableAreas {
  /** Ranges of the saved disk that are not restored with the rest. */
  readonly withheld: readonly Extent[];
  /** What to write at the very end, in this order. */
  readonly writes: readonly { readonly offsetBytes: number; readonly bytes: Uint8Array }[];
}

/**
 * @param merged the table the target gets where it is not the saved one
 * On a target of the same size the saved bytes go back as they were; on another size a GPT is made anew, its backup at the target's
 * end. A disk without a table has the beginning of its filesystem withheld instead.
 */
export async function tableAreas(
  saved: BlockDevice,
  table: PartitionTable | null,
  { targetBytes, merged = null }: { targetBytes: number; merged?: PartitionTable | null },
): Promise<TableAreas> {
  if (table?.kind === 'gpt') return gptAreas(saved, table, { targetBytes, merged });
  if (table !== null && merged !== null) {
    return { withheld: [{ offsetBytes: 0, lengthBytes: table.sectorBytes }], writes: encodePartitionTable(merged, targetBytes) };
  }
  const headBytes = Math.min(table === null ? MIB : table.sectorBytes, saved.sizeBytes, targetBytes);
  return copied(saved, [{ offsetBytes: 0, lengthBytes: headBytes }]);
}

async function gptAreas(
  saved: BlockDevice,
  table: PartitionTable & { kind: 'gpt' },
  { targetBytes, merged }: { targetBytes: number; merged: PartitionTable | null },
): Promise<TableAreas> {
  const { sectorBytes } = table;
  const entriesBytes = Math.ceil((table.entryCount * table.entryBytes) / sectorBytes) * sectorBytes;
  const backupBytes = entriesBytes + sectorBytes;
  const entries = { offsetBytes: table.entriesOffsetBytes, lengthBytes: entriesBytes };
  const backup = { offsetBytes: Math.max(0, saved.sizeBytes - backupBytes), lengthBytes: backupBytes };
  const head = { offsetBytes: 0, lengthBytes: 2 * sectorBytes };
  const areas = [backup, entries, head];
  if (targetBytes === saved.sizeBytes && merged === null) return copied(saved, areas);
  return { withheld: areas, writes: encodePartitionTable(merged ?? table, targetBytes) };
}

async function copied(saved: BlockDevice, areas: readonly Extent[]): Promise<TableAreas> {
  const writes = [];
  for (const { offsetBytes, lengthBytes } of areas) {
    writes.push({ offsetBytes, bytes: await readBytes(saved, offsetBytes, lengthBytes) });
  }
  return { withheld: areas, writes };
}

/** Where any kind of table or signature of a whole disk lies: the first and the last MiB. */
export function signatureAreas(targetBytes: number): Extent[] {
  if (targetBytes <= 2 * MIB) return [{ offsetBytes: 0, lengthBytes: targetBytes }];
  return [
    { offsetBytes: 0, lengthBytes: MIB },
    { offsetBytes: targetBytes - MIB, lengthBytes: MIB },
  ];
}
