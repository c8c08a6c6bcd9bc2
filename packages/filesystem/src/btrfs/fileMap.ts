/** Where the content of a file lies. Layout: btrfs documentation "On-disk Format", chapter File extent item. */
import type { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import { type Compression, compressions } from './compression.ts';
import type { Inode } from './inode.ts';
import { itemsFrom } from './nodeStore.ts';
import { itemType } from './treeNode.ts';
import type { Volume } from './volume.ts';

const mostRuns = 4_000_000;
/** btrfs compresses at most this much at once. */
const largestCompressedBytes = 128 << 10;
const extentKind = { inline: 0, regular: 1, reserved: 2 };

/** Content from byte `start` of the file on. What no run covers is zero. */
export type FileRun = { readonly start: number; lengthBytes: number } & (
  | { readonly kind: 'inline'; readonly stored: Buffer; readonly compression: Compression | null }
  | { readonly kind: 'plain'; readonly logical: number }
  | {
      readonly kind: 'compressed';
      readonly logical: number;
      readonly storedBytes: number;
      readonly expandedBytes: number;
      /** Where in the expanded bytes this run begins. */
      readonly skipBytes: number;
      readonly compression: Compression;
    }
);

/**
 * Sorted and disjoint; plain runs that follow each other are one.
 * @param options.unwritten map what is allocated and was never written too, as plain
 * @throws FilesystemError `FS_DAMAGED`, `FS_ENCRYPTED_FILE`.
 */
export async function mapFile(volume: Volume, inode: Inode, options: { readonly unwritten?: boolean } = {}): Promise<FileRun[]> {
  const what = `inode ${inode.number}`;
  const runs: FileRun[] = [];
  const from = { objectId: inode.number, type: itemType.extentData, offset: 0 };
  let next = 0;
  for await (const { leaf, index } of itemsFrom(volume.nodes, inode.tree, from)) {
    if (leaf.objectId(index) !== inode.number || leaf.type(index) !== itemType.extentData) break;
    const start = leaf.offset(index);
    const run = parseRun(start, leaf.item(index, what), options.unwritten ?? false);
    if (start < next || !Number.isSafeInteger(start + run.lengthBytes)) {
      throw new FilesystemError('FS_DAMAGED', `${what} maps the same bytes twice`);
    }
    next = start + run.lengthBytes;
    if (run.kind === 'hole') continue;
    const last = runs.at(-1);
    if (last?.kind === 'plain' && run.kind === 'plain' && follows(last, run)) {
      last.lengthBytes += run.lengthBytes;
    } else {
      if (runs.length >= mostRuns) throw new FilesystemError('FS_TOO_LARGE', `${what} has more than ${mostRuns} fragments`);
      runs.push(run);
    }
  }
  return runs;
}

interface PlainRun {
  readonly start: number;
  readonly lengthBytes: number;
  readonly logical: number;
}

function follows(last: PlainRun, run: PlainRun): boolean {
  return last.start + last.lengthBytes === run.start && last.logical + last.lengthBytes === run.logical;
}

function parseRun(start: number, raw: ByteReader, unwritten: boolean): FileRun | { kind: 'hole'; lengthBytes: number } {
  const expandedBytes = raw.u64(8);
  const compression = compressionOf(raw);
  const kind = raw.u8(20);
  if (compression !== null && expandedBytes > largestCompressedBytes) throw damaged(raw, 'an impossible compressed extent');
  if (kind === extentKind.inline) {
    const stored = raw.slice(21, raw.length - 21);
    if (expandedBytes > largestCompressedBytes) throw damaged(raw, 'impossible inline content');
    return { kind: 'inline', start, lengthBytes: expandedBytes, stored, compression };
  }
  const [address, storedBytes, skipBytes, lengthBytes] = [raw.u64(21), raw.u64(29), raw.u64(37), raw.u64(45)];
  if (kind !== extentKind.regular && kind !== extentKind.reserved) throw damaged(raw, 'an unknown kind of extent');
  if (lengthBytes === 0) throw damaged(raw, 'an empty extent');
  if ((kind === extentKind.reserved && !unwritten) || address === 0) return { kind: 'hole', lengthBytes };
  if (skipBytes + lengthBytes > (compression === null ? storedBytes : expandedBytes)) {
    throw damaged(raw, 'a piece of an extent that is longer than the extent');
  }
  if (compression === null) return { kind: 'plain', start, lengthBytes, logical: address + skipBytes };
  if (storedBytes > largestCompressedBytes) throw damaged(raw, 'an impossible compressed extent');
  return { kind: 'compressed', start, lengthBytes, logical: address, storedBytes, expandedBytes, skipBytes, compression };
}

function damaged(raw: ByteReader, how: string): FilesystemError {
  return new FilesystemError('FS_DAMAGED', `${raw.what} has ${how}`);
}

function compressionOf(raw: ByteReader): Compression | null {
  if (raw.u8(17) !== 0) throw new FilesystemError('FS_ENCRYPTED_FILE', `${raw.what} is encrypted by its filesystem`);
  const number = raw.u8(16);
  const compression = compressions[number];
  if (compression === undefined || raw.u16(18) !== 0) {
    throw new FilesystemError('FS_UNSUPPORTED', `${raw.what} is stored in a way that is not known here (${number})`);
  }
  return compression;
}
