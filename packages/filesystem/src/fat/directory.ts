/** Lists folders. An entry's `ref` is `root`, or where its 32-byte slot lies on the volume. */
import { readBytes } from '@diskfleet/disk';
import { describeEnd } from '../clusterChain.ts';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry } from '../filesystem.ts';
import { type LostPart, readSoundParts } from '../soundParts.ts';
import type { Chains } from './chain.ts';
import {
  decodeShortName,
  isDirectorySlot,
  LongName,
  SLOT_BYTES,
  type SlotName,
  slotFirstCluster,
  slotKind,
  slotModifiedAtMs,
  slotSizeBytes,
} from './slot.ts';
import type { FatVolume } from './volume.ts';

/** The format's own bound: drivers refuse folders of more than 2 MiB. */
const MAX_SLOTS = 65_536;
const MAX_READ_BYTES = 1 << 20;

export const ROOT_REF = 'root';

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

/** A slot in use and where it lies. */
export interface PlacedSlot {
  readonly slot: Buffer;
  readonly offsetBytes: number;
}

/** @throws FilesystemError `FS_NOT_A_DIRECTORY`, `FS_NOT_FOUND`, `FS_DAMAGED`, `FS_TOO_LARGE` */
export async function* listDirectory(chains: Chains, directory: DirectoryEntry): AsyncGenerator<DirectoryEntry> {
  const first = await firstClusterOf(chains, directory);
  const longName = new LongName();
  for await (const placed of readSlots(chains, first)) {
    switch (slotKind(placed.slot)) {
      case 'longName':
        longName.add(placed.slot);
        break;
      case 'entry':
        yield toEntry(placed, longName.take(placed.slot) ?? decodeShortName(placed.slot));
        break;
      default:
        longName.clear();
    }
  }
}

/** Reads the slot a `ref` names. @throws FilesystemError `FS_NOT_FOUND` when it names none */
export async function readSlot({ device, geometry }: FatVolume, ref: string): Promise<Buffer> {
  const offsetBytes = /^\d{1,15}$/.test(ref) ? Number(ref) : -1;
  const inside =
    offsetBytes >= geometry.rootOffsetBytes && offsetBytes + SLOT_BYTES <= Math.min(geometry.totalBytes, device.sizeBytes);
  const slot = inside && offsetBytes % SLOT_BYTES === 0 ? await readBytes(device, offsetBytes, SLOT_BYTES) : null;
  if (slot === null || slotKind(slot) !== 'entry') throw new FilesystemError('FS_NOT_FOUND', 'The entry is no longer there.');
  return slot;
}

/** All slots of a folder up to its end mark; `null` stands for the fixed root directory of FAT12/16. */
export async function* readSlots(chains: Chains, firstCluster: number | null): AsyncGenerator<PlacedSlot> {
  let seen = 0;
  const lost: LostPart[] = [];
  for await (const { bytes, offsetBytes } of readPieces(chains, firstCluster, lost)) {
    for (let at = 0; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) {
      const slot = bytes.subarray(at, at + SLOT_BYTES);
      if (slotKind(slot) === 'end') return insistOnWhole(lost);
      seen += 1;
      if (seen > MAX_SLOTS)
        throw new FilesystemError('FS_TOO_LARGE', `The folder has more than ${MAX_SLOTS} entries; it is damaged.`);
      yield { slot, offsetBytes: offsetBytes + at };
    }
  }
  insistOnWhole(lost);
}

/** What could be read has been told by now. */
function insistOnWhole([first]: readonly LostPart[]): void {
  if (first !== undefined) throw new FilesystemError('FS_DAMAGED', `A part of a folder cannot be read: ${first.reason}`);
}

/** The bytes of a folder; what cannot be read shows as deleted slots and goes into `lost`. */
async function* readPieces(
  chains: Chains,
  firstCluster: number | null,
  lost: LostPart[],
): AsyncGenerator<{ bytes: Buffer; offsetBytes: number }> {
  const { device, geometry } = chains.volume;
  const read = async (offsetBytes: number, lengthBytes: number) => {
    const bytes = Buffer.alloc(lengthBytes);
    const filler = 0xe5;
    lost.push(...(await readSoundParts((at, target) => device.read(at, target), { offsetBytes, target: bytes, filler })));
    return { bytes, offsetBytes };
  };
  if (firstCluster === null) {
    yield await read(geometry.rootOffsetBytes, geometry.rootBytes);
    return;
  }
  const chain = await chains.follow(firstCluster, Math.ceil(((MAX_SLOTS + 1) * SLOT_BYTES) / geometry.clusterBytes));
  for (const { offsetBytes, lengthBytes } of chains.runs(chain, MAX_READ_BYTES)) {
    yield await read(offsetBytes, lengthBytes);
  }
  if (chain.end !== 'whole')
    throw new FilesystemError('FS_DAMAGED', `The cluster chain of a folder is ${describeEnd(chain.end)}.`);
}

/** Null stands for the fixed root directory of FAT12/16. @throws FilesystemError as `listDirectory` */
export async function firstClusterOf(chains: Chains, directory: DirectoryEntry): Promise<number | null> {
  const { volume } = chains;
  const { geometry } = volume;
  if (directory.type !== 'directory') throw new FilesystemError('FS_NOT_A_DIRECTORY', `${directory.name} is not a folder.`);
  const wide = geometry.kind === 'fat32';
  if (directory.ref === ROOT_REF) return wide ? geometry.rootCluster : null;
  const slot = await readSlot(volume, directory.ref);
  if (!isDirectorySlot(slot)) throw new FilesystemError('FS_NOT_A_DIRECTORY', `${directory.name} is not a folder.`);
  const first = slotFirstCluster(slot, wide);
  if (!chains.isCluster(first))
    throw new FilesystemError('FS_DAMAGED', `The folder ${directory.name} begins outside the volume.`);
  return first;
}

function toEntry({ slot, offsetBytes }: PlacedSlot, { name, bytes }: SlotName): DirectoryEntry {
  const isDirectory = isDirectorySlot(slot);
  return {
    name,
    nameBytes: new Uint8Array(bytes),
    type: isDirectory ? 'directory' : 'file',
    sizeBytes: isDirectory ? 0 : slotSizeBytes(slot),
    modifiedAtMs: slotModifiedAtMs(slot),
    mode: null,
    ref: String(offsetBytes),
    linkTarget: null,
  };
}
