/** GPT, MBR with extended partitions, hybrids: all that is read of a disk before its partitions. */
import { encodePartitionTable, layoutFingerprint, type PartitionTable, readPartitionTable } from '@diskfleet/disk';
import { insist, type Target } from '../engine/target.ts';
import { codedOnly } from './exerciseFilesystem.ts';

export const target: Target = {
  run: async (subject) => {
    const device = subject.device();
    await codedOnly(async () => {
      const table = await readPartitionTable(device);
      if (table === null) return;
      check(table, device.sizeBytes);
      // What was read lenient may well not be writable.
      await codedOnly(async () => encodePartitionTable(table, device.sizeBytes));
    });
    await codedOnly(() => layoutFingerprint(device));
  },
};

function check(table: PartitionTable, sizeBytes: number): void {
  insist(JSON.stringify(JSON.parse(JSON.stringify(table))) === JSON.stringify(table), 'a table that JSON changes');
  insist(table.partitions.length <= 1024, `${table.partitions.length} partitions`);
  let number = 0;
  for (const partition of table.partitions) {
    insist(partition.number > number, 'partitions out of order');
    number = partition.number;
    insist(Number.isSafeInteger(partition.startBytes) && partition.startBytes >= 0, `a partition at ${partition.startBytes}`);
    insist(Number.isSafeInteger(partition.sizeBytes) && partition.sizeBytes > 0, `a partition of ${partition.sizeBytes} bytes`);
    insist(partition.startBytes + partition.sizeBytes <= sizeBytes, 'a partition that leaves the disk');
    insist(partition.name.isWellFormed(), 'a name that is no Unicode');
  }
}
