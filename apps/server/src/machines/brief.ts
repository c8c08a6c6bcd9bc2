import type { MachineBrief } from '@diskfleet/db';
import type { Inventory } from '@diskfleet/protocol';

/** What of an inventory is stored: all of it, and in a few words what lists show. */
export function inventoryColumns(inventory: Inventory): { inventory: Inventory; brief: MachineBrief } {
  const { hostname, os, disks, limitation } = inventory;
  const totalBytes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  const brief = { hostname, os: [os.name, os.version].filter(Boolean).join(' '), disks: disks.length, totalBytes, limitation };
  return { inventory, brief };
}
