/** The remembered map around one run: loaded and checked before, replaced after the point is durable. */
import type { Vault } from '@diskfleet/vault';
import type { BackupRequest, DiskToBackUp } from '../types.ts';
import type { Lineage } from './chooseParent.ts';
import { decodeRemembered, encodeRemembered, type Remembered } from './remembered.ts';
import type { ScannedDisk } from './scan.ts';
import type { SourceImage } from './sourceImage.ts';

export interface MemoryOfRun {
  /** The last point of this series as it was remembered; null for a full backup, or when there is nothing to build on. */
  readonly last: Remembered | null;
  /** Whether the vault still holds a chunk that `last` names. */
  has(chunkId: Uint8Array): boolean;
  /** What goes into `notes`, for the next run. */
  notes: Uint8Array;
  /** The point is durable: live sources count from its moment, the map is remembered. A failure costs the next run time, not data. */
  keep(pointId: string, scanned: readonly ScannedDisk[], image: SourceImage): Promise<void>;
}

export async function openMemory(vault: Vault, request: BackupRequest, lineage: Lineage): Promise<MemoryOfRun> {
  const { memory } = request;
  const disks = request.disks.map(nameOf);
  const found = memory === undefined || lineage.parent === null ? null : decodeRemembered(await memory.load());
  const fits =
    found !== null &&
    found.vaultId === vault.id &&
    // A differential may build on the newest point too: what it names is complete on its own.
    (found.pointId === lineage.parent?.id || lineage.method === 'differential') &&
    found.disks.length === disks.length &&
    found.disks.every((name, index) => name === disks[index]);
  const last = fits ? found : null;
  const lost = last === null ? new Set() : await lostChunks(vault, last);
  const run: MemoryOfRun = {
    last,
    has: (chunkId) => !lost.has(hex(chunkId)),
    notes: new Uint8Array(),
    async keep(pointId, scanned, image) {
      for (const { disk } of scanned) await disk.live?.keep(pointId);
      if (memory === undefined) return;
      const maps = scanned.map((_, index) => image.entries(index));
      await memory.save(encodeRemembered({ vaultId: vault.id, pointId, disks }, maps, run.notes));
    },
  };
  return run;
}

/** Most ids the vault is asked for at once. */
const IDS_AT_ONCE = 65_536;

/** What `last` names and the vault has no more: hardly ever anything. */
async function lostChunks(vault: Vault, last: Remembered): Promise<Set<string>> {
  const lost = new Set<string>();
  let group: Uint8Array[] = [];
  const ask = async () => {
    await vault.lookUp(group);
    for (const id of group) if (vault.locate(id) === null) lost.add(hex(id));
    group = [];
  };
  for (const id of last.chunkIds()) {
    group.push(id);
    if (group.length === IDS_AT_ONCE) await ask();
  }
  await ask();
  return lost;
}

function hex(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}

function nameOf({ name, model, serial, path }: DiskToBackUp): string {
  return serial === '' ? `${path} ${name} ${model}` : `${serial} ${model}`;
}
