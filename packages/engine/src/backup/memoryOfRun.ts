/** The remembered map around one run: loaded and checked before, replaced after the point is durable. */
import type { Vault } from '@diskfleet/vault';
import type { BackupRequest, DiskToBackUp } from '../types.ts';
import type { Lineage } from './chooseParent.ts';
import { decodeRemembered, encodeRemembered, type Remembered } from './remembered.ts';
import type { ScannedDisk } from './scan.ts';
import type { SourceImage } from './sourceImage.ts';
import type { SumsPlaces } from './sumsFile.ts';
import { dropSums, keepSums, openSums } from './sumsOfRun.ts';

export interface MemoryOfRun {
  /** The last point of this series as it was remembered; null for a full backup, or when there is nothing to build on. */
  readonly last: Remembered | null;
  /** What goes into `notes`, for the next run. */
  notes: Uint8Array;
  /** Where the sums of this run go; null before `openSums`, and where none are remembered. */
  readonly sums: SumsPlaces | null;
  openSums(scanned: readonly ScannedDisk[]): Promise<void>;
  /** For a run that made no point. */
  drop(): Promise<void>;
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
  let sums: SumsPlaces | null = null;
  let sizes: readonly number[] = [];
  const run: MemoryOfRun = {
    last,
    notes: new Uint8Array(),
    get sums() {
      return sums;
    },
    async openSums(scanned) {
      sizes = scanned.map(({ used }) => used.layout.sizeBytes);
      if (memory?.sumsPath !== undefined) sums = await openSums({ path: memory.sumsPath, last, sizes });
    },
    async drop() {
      if (sums !== null) await dropSums(sums);
      sums = null;
    },
    async keep(pointId, scanned, image) {
      for (const { disk } of scanned) await disk.live?.keep(pointId);
      if (memory === undefined) return;
      const maps = scanned.map((_, index) => image.entries(index));
      const head = { vaultId: vault.id, pointId, disks };
      await memory.save(encodeRemembered(head, maps, run.notes));
      if (memory.sumsPath !== undefined && sums !== null) await keepSums(memory.sumsPath, sums, { head, sizes });
      sums = null;
    },
  };
  return run;
}

function nameOf({ name, model, serial, path }: DiskToBackUp): string {
  return serial === '' ? `${path} ${name} ${model}` : `${serial} ${model}`;
}
