/**
 * Lists folders. An entry's `ref` is where its set lies on the volume and where its content lies, so that a set need not be found
 * again: `f@65536:5:c:100:100` is a file of 100 bytes, all valid, contiguous from cluster 5; `t` instead of `c` follows the FAT.
 */
import { type Chain, describeEnd } from '../clusterChain.ts';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry } from '../filesystem.ts';
import { type LostPart, readSoundParts } from '../soundParts.ts';
import { decodeSet, type FileSet, SLOT, SLOT_BYTES, secondaryCount } from './slotSet.ts';
import type { UpcaseTable } from './upcaseTable.ts';
import type { ExfatVolume } from './volume.ts';

/** The format's own bound on a folder. */
export const MAX_DIRECTORY_BYTES = 256 << 20;
const MAX_READ_BYTES = 1 << 20;
const MAX_SECONDARIES = 18;
/** Stands for what cannot be read: neither in use nor the end. */
const UNUSED_SLOT = 0x01;

const ROOT_REF = 'root';

export const rootEntry: DirectoryEntry = {
  name: '',
  nameBytes: new Uint8Array(0),
  type: 'directory',
  sizeBytes: 0,
  modifiedAtMs: null,
  mode: null,
  ref: ROOT_REF,
  linkTarget: null,
};

/** Where the content of a file or folder lies. */
export interface Content {
  readonly type: 'file' | 'directory';
  readonly firstCluster: number;
  readonly contiguous: boolean;
  readonly sizeBytes: number;
  readonly validBytes: number;
}

/** @throws FilesystemError `FS_NOT_A_DIRECTORY`, `FS_NOT_FOUND`, `FS_DAMAGED` */
export async function* listDirectory(
  volume: ExfatVolume,
  upcaseTable: UpcaseTable,
  directory: DirectoryEntry,
): AsyncGenerator<DirectoryEntry> {
  if (directory.type !== 'directory') throw notADirectory(directory);
  for await (const { bytes, offsetBytes } of readSets(volume, await chainOf(volume, directory))) {
    if (bytes.readUInt8(0) !== SLOT.file) continue;
    const set = decodeSet(bytes, upcaseTable);
    if (set !== null) yield toEntry(set, offsetBytes);
  }
}

/** @throws FilesystemError `FS_NOT_FOUND` when a ref is not of this reader */
export function contentOf(ref: string): Content {
  const match = /^([fd])@\d{1,16}:(\d{1,10}):([ct]):(\d{1,16}):(\d{1,16})$/.exec(ref);
  const [, type, first = '', layout, size = '', valid = ''] = match ?? [];
  const [firstCluster, sizeBytes, validBytes] = [Number(first), Number(size), Number(valid)];
  if (match === null || !Number.isSafeInteger(sizeBytes) || validBytes > sizeBytes)
    throw new FilesystemError('FS_NOT_FOUND', 'The entry is not of this volume.');
  return { type: type === 'd' ? 'directory' : 'file', firstCluster, contiguous: layout === 'c', sizeBytes, validBytes };
}

/** One primary slot in use and the slots that belong to it, and where the first of them lies. */
export interface PlacedSet {
  readonly bytes: Buffer;
  readonly offsetBytes: number;
}

/** All sets of a folder up to its end mark: of files whole sets only, of anything else the primary slot. */
export async function* readSets(volume: ExfatVolume, chain: Chain): AsyncGenerator<PlacedSet> {
  // The set under way: it may go on in the next piece, elsewhere on the volume.
  let slots: Buffer[] = [];
  let [missing, begunAt] = [0, 0];
  const lost: LostPart[] = [];
  for (const { offsetBytes, lengthBytes } of volume.runs(chain, MAX_READ_BYTES)) {
    const piece = Buffer.alloc(lengthBytes);
    const read = (at: number, target: Uint8Array) => volume.device.read(at, target);
    lost.push(...(await readSoundParts(read, { offsetBytes, target: piece, filler: UNUSED_SLOT })));
    for (let at = 0; at < piece.length; at += SLOT_BYTES) {
      const type = piece.readUInt8(at);
      if (type === SLOT.end) return insistOnWhole(lost);
      const isSecondary = (type & 0xc0) === 0xc0;
      if (!isSecondary) slots = [];
      if ((type & 0x80) === 0 || (isSecondary && slots.length === 0)) continue;
      const slot = piece.subarray(at, at + SLOT_BYTES);
      if (!isSecondary) {
        begunAt = offsetBytes + at;
        missing = type === SLOT.file ? secondaryCount(slot) : 0;
        if (type !== SLOT.file) yield { bytes: slot, offsetBytes: begunAt };
        else if (missing >= 2 && missing <= MAX_SECONDARIES) slots = [slot];
        continue;
      }
      slots.push(slot);
      missing -= 1;
      if (missing > 0) continue;
      yield { bytes: Buffer.concat(slots), offsetBytes: begunAt };
      slots = [];
    }
  }
  insistOnWhole(lost);
  if (chain.end !== 'whole')
    throw new FilesystemError('FS_DAMAGED', `The cluster chain of a folder is ${describeEnd(chain.end)}.`);
}

/** What could be read has been told by now. */
function insistOnWhole([first]: readonly LostPart[]): void {
  if (first !== undefined) throw new FilesystemError('FS_DAMAGED', `A part of a folder cannot be read: ${first.reason}`);
}

/** The root directory has no size of its own: its chain is followed to the end. */
export async function rootChain(volume: ExfatVolume): Promise<Chain> {
  return volume.locate(volume.geometry.rootCluster, MAX_DIRECTORY_BYTES, false);
}

async function chainOf(volume: ExfatVolume, directory: DirectoryEntry): Promise<Chain> {
  if (directory.ref === ROOT_REF) return rootChain(volume);
  const { type, firstCluster, sizeBytes, contiguous } = contentOf(directory.ref);
  if (type !== 'directory') throw notADirectory(directory);
  return volume.locate(firstCluster, Math.min(sizeBytes, MAX_DIRECTORY_BYTES), contiguous);
}

function notADirectory({ name }: DirectoryEntry): FilesystemError {
  return new FilesystemError('FS_NOT_A_DIRECTORY', `${name} is not a folder.`);
}

function toEntry(set: FileSet, offsetBytes: number): DirectoryEntry {
  const { name, nameBytes, isDirectory, modifiedAtMs, firstCluster, contiguous, sizeBytes, validBytes } = set;
  return {
    name,
    nameBytes: new Uint8Array(nameBytes),
    type: isDirectory ? 'directory' : 'file',
    sizeBytes: isDirectory ? 0 : sizeBytes,
    modifiedAtMs,
    mode: null,
    ref: `${isDirectory ? 'd' : 'f'}@${offsetBytes}:${firstCluster}:${contiguous ? 'c' : 't'}:${sizeBytes}:${validBytes}`,
    linkTarget: null,
  };
}
