/** The sums of pieces around one run: those of the last point checked before, those of the new one named after it is durable. */
import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Extent } from '@diskfleet/disk';
import { PIECE_BYTES, SLOT_BYTES, slotWith } from './pieceSums.ts';
import type { RememberedHead } from './remembered.ts';
import { joinParts, type SlotParts } from './slotTable.ts';
import { SUMS_HEAD_BYTES, SumsAfter, SumsBefore, type SumsPlaces } from './sumsFile.ts';

const MAGIC = Buffer.from('DFSUMS01');

export interface SumsInput {
  /** Where the sums of the last point are, if anywhere. */
  readonly path: string;
  /** What they have to be of; null: they are not to be looked at. */
  readonly last: RememberedHead | null;
  /** Sizes of all disks, in bytes. */
  readonly sizes: readonly number[];
}

/** Null when nothing can be remembered there. */
export async function openSums({ path, last, sizes }: SumsInput): Promise<SumsPlaces | null> {
  // Two runs of one series may meet.
  const after = `${path}.${randomUUID()}.new`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(after, 'w', 0o600);
    await file.close();
  } catch {
    return null;
  }
  const before =
    last === null
      ? null
      : await holdBefore(path, { as: `${after.slice(0, -'.new'.length)}.last.new`, head: headOf(last, sizes) });
  const firstSlot: number[] = [];
  let slots = 0;
  for (const sizeBytes of sizes) {
    firstSlot.push(slots);
    slots += Math.ceil(sizeBytes / PIECE_BYTES);
  }
  return { before, after, firstSlot, broken: new Int32Array(new SharedArrayBuffer(4)) };
}

/** A name of its own for the file that was looked at: another run may put its sums in its place at any time. */
async function holdBefore(path: string, { as, head }: { readonly as: string; readonly head: Buffer }): Promise<string | null> {
  try {
    await link(path, as);
    if (await isOf(as, head)) return as;
    await rm(as, { force: true });
  } catch {
    // Nothing there yet, or a filesystem without links: then nothing is known.
  }
  return null;
}

/** Takes over what is remembered of pieces that were not read: those that lie in `kept`. */
export function copySums(places: SumsPlaces, disk: number, kept: readonly Extent[]): void {
  if (places.before === null) return;
  const [before, after] = [new SumsBefore(places.before), new SumsAfter(places)];
  const slots = Buffer.alloc(1024 * SLOT_BYTES);
  const first = places.firstSlot[disk] ?? 0;
  try {
    for (const { offsetBytes, lengthBytes } of kept) {
      const end = Math.ceil((offsetBytes + lengthBytes) / PIECE_BYTES);
      for (let piece = Math.floor(offsetBytes / PIECE_BYTES); piece < end; piece += 1024) {
        const some = slots.subarray(0, Math.min(1024, end - piece) * SLOT_BYTES);
        before.read(first + piece, some);
        for (let at = 0; at < some.length; at += SLOT_BYTES) {
          after.put(first + piece + at / SLOT_BYTES, some.subarray(at, at + SLOT_BYTES));
        }
      }
    }
  } finally {
    before.close();
    after.close();
  }
}

/** Slots to which several threads had parts. */
export function keepShared(places: SumsPlaces, shared: readonly SlotParts[]): void {
  const after = new SumsAfter(places);
  joinParts(shared, (number, part) => after.put(number, slotWith(part)));
  after.close();
}

/** The point is durable: the new sums take the place of the old ones. A failure costs the next run time, not data. */
export async function keepSums(
  path: string,
  places: SumsPlaces,
  of: { head: RememberedHead; sizes: readonly number[] },
): Promise<void> {
  try {
    if (Atomics.load(places.broken, 0) !== 0) throw new Error('not everything was written');
    const file = await open(places.after, 'r+');
    try {
      await file.sync();
      await file.write(headOf(of.head, of.sizes), 0, SUMS_HEAD_BYTES, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(places.after, path);
    await syncFolder(dirname(path));
  } catch {
    await rm(path, { force: true }).catch(() => {});
  }
  await dropSums(places);
}

/** What a run leaves in the folder beside the sums it kept, if any. */
export async function dropSums({ before, after }: SumsPlaces): Promise<void> {
  for (const path of [before, after]) if (path !== null) await rm(path, { force: true }).catch(() => {});
}

function headOf({ vaultId, pointId, disks }: RememberedHead, sizes: readonly number[]): Buffer {
  const texts = [vaultId, pointId, ...disks, ...sizes.map(String)];
  const hash = createHash('sha256').update(JSON.stringify(texts)).digest();
  return Buffer.concat([MAGIC, hash], SUMS_HEAD_BYTES);
}

async function isOf(path: string, head: Buffer): Promise<boolean> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SUMS_HEAD_BYTES), 0, SUMS_HEAD_BYTES, 0);
    return bytesRead === SUMS_HEAD_BYTES && buffer.equals(head);
  } catch {
    return false;
  } finally {
    await file?.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
