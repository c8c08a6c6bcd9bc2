import type { MachineBrief } from '@diskfleet/db';
import type { Inventory, InventoryDisk } from '@diskfleet/protocol';

/** What of an inventory is stored: all of it, and in a few words what lists show. */
export function inventoryColumns(inventory: Inventory): { inventory: Inventory; brief: MachineBrief } {
  const { hostname, os, disks, limitation } = inventory;
  const totalBytes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  const brief = {
    hostname,
    os: [os.name, os.version].filter(Boolean).join(' '),
    disks: disks.length,
    totalBytes,
    limitation,
    content: contentOf(disks),
  };
  return { inventory, brief };
}

/** Sticks, disk files and loop devices come and go: only what is built in counts for protection. */
function contentOf(disks: readonly InventoryDisk[]): { key: string; name: string }[] {
  const builtIn = disks.filter(({ removable, bus }) => !removable && bus !== 'file' && bus !== 'loop' && bus !== 'usb');
  // A system disk holds a system, whether or not the agent may look.
  const filled = builtIn.filter((disk) => disk.isSystemDisk || disk.partitions.length > 0 || disk.filesystem !== null);
  return filled.map(({ key, name }) => ({ key, name }));
}
