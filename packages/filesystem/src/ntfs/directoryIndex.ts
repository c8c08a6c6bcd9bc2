/**
 * Directories: B+ trees of $FILE_NAME keys. $INDEX_ROOT holds the top node, $INDEX_ALLOCATION ("$I30") the others. Nodes are
 * walked in name order; they are read through a few large windows, since a tree that grew lies nearly in order on disk.
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';
import type { FileReader } from '../filesystem.ts';
import { ATTRIBUTE } from './attribute.ts';
import { openAttribute } from './fileContent.ts';
import type { Mft } from './mft.ts';
import { applyFixups, type MftRecord, type MftReference, readReference } from './mftRecord.ts';

const INDEX_NAME = '$I30';
const NAMESPACE_DOS = 2;
const ENTRY_HAS_CHILD = 1;
const ENTRY_IS_LAST = 2;
const ENTRY_HEADER_BYTES = 16;
const NODE_HEADER_OFFSET = { root: 16, block: 24 } as const;
const LARGEST_BLOCK_BYTES = 64 * 1024;
const DEEPEST_TREE = 32;
const LARGEST_DIRECTORY_ENTRIES = 10_000_000;
const WINDOW_BYTES = 256 * 1024;
const CACHED_WINDOWS = 16;

/** One name in a directory. Sizes and times here may be stale; the file's own record knows better. */
export interface IndexEntry {
  readonly reference: MftReference;
  readonly nameBytes: Buffer;
  readonly modifiedTicks: bigint;
  readonly sizeBytes: bigint;
  readonly fileAttributes: number;
}

interface Node {
  readonly reader: ByteReader;
  readonly endOffset: number;
  offset: number;
  /** The subtree in front of the entry at `offset` has been walked. */
  descended: boolean;
}

/** All names of a directory in order, short DOS names left out. @throws FilesystemError `FS_DAMAGED`, `FS_TOO_LARGE`. */
export async function* walkDirectory(mft: Mft, directory: MftRecord): AsyncGenerator<IndexEntry> {
  const root = await mft.attribute(directory, ATTRIBUTE.indexRoot, INDEX_NAME);
  if (root === null || !root.resident) throw damaged(directory, 'has no index root');
  const top = new ByteReader(root.value, `The index root of MFT record ${directory.number}`);
  const blocks = new IndexBlocks(mft, directory, top.u32(8));
  const path: Node[] = [openNode(top, NODE_HEADER_OFFSET.root)];
  let entries = 0;
  for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
    const { reader, offset } = node;
    if (offset + ENTRY_HEADER_BYTES > node.endOffset) throw damaged(directory, 'has an index node without an end');
    const length = reader.u16(offset + 8);
    const flags = reader.u16(offset + 12);
    if (length < ENTRY_HEADER_BYTES || offset + length > node.endOffset) throw damaged(directory, 'has a broken index entry');
    if ((flags & ENTRY_HAS_CHILD) !== 0 && !node.descended) {
      node.descended = true;
      if (path.length >= DEEPEST_TREE) throw damaged(directory, 'has an index that is too deep');
      path.push(await blocks.node(reader.u64(offset + length - 8)));
      continue;
    }
    node.offset += length;
    node.descended = false;
    if ((flags & ENTRY_IS_LAST) !== 0) path.pop();
    else {
      if (++entries > LARGEST_DIRECTORY_ENTRIES) throw new FilesystemError('FS_TOO_LARGE', 'A folder has over 10 million names.');
      const entry = parseEntry(new ByteReader(reader.slice(offset, length), reader.what));
      if (entry !== null) yield entry;
    }
  }
}

/** Reads nodes by number, each at most once: a second visit means a loop. */
class IndexBlocks {
  private readonly mft: Mft;
  private readonly directory: MftRecord;
  private readonly blockBytes: number;
  private readonly visited = new Set<number>();
  private readonly windows = new Map<number, Buffer>();
  private content: FileReader | null = null;

  constructor(mft: Mft, directory: MftRecord, blockBytes: number) {
    const sane = blockBytes >= 512 && blockBytes <= LARGEST_BLOCK_BYTES && Number.isInteger(Math.log2(blockBytes));
    if (!sane) throw damaged(directory, `has index blocks of ${blockBytes} bytes`);
    this.mft = mft;
    this.directory = directory;
    this.blockBytes = blockBytes;
  }

  async node(vcn: number): Promise<Node> {
    if (this.visited.has(vcn)) throw damaged(this.directory, 'has an index that loops');
    this.visited.add(vcn);
    // Numbers count clusters, or 512-byte units where a cluster is larger than a block.
    const { clusterBytes } = this.mft.source.geometry;
    const offsetBytes = vcn * (clusterBytes <= this.blockBytes ? clusterBytes : 512);
    const reader = new ByteReader(await this.block(offsetBytes), `An index block of MFT record ${this.directory.number}`);
    applyFixups(reader, 'INDX');
    if (reader.u64(16) !== vcn) throw damaged(this.directory, 'has an index block out of place');
    return openNode(reader, NODE_HEADER_OFFSET.block);
  }

  private async block(offsetBytes: number): Promise<Buffer> {
    this.content ??= await this.openAllocation();
    if (!Number.isSafeInteger(offsetBytes) || offsetBytes + this.blockBytes > this.content.sizeBytes) {
      throw damaged(this.directory, 'has an index that points outside itself');
    }
    const index = Math.floor(offsetBytes / WINDOW_BYTES);
    const inWindow = offsetBytes - index * WINDOW_BYTES;
    const window = this.windows.get(index) ?? (await this.readWindow(index, this.content));
    // Blocks that straddle windows cannot be: both sizes are powers of two, unless a hostile number is off the grid.
    if (inWindow + this.blockBytes > window.length) throw damaged(this.directory, 'has an index block off the grid');
    return Buffer.from(window.subarray(inWindow, inWindow + this.blockBytes));
  }

  private async readWindow(index: number, content: FileReader): Promise<Buffer> {
    const offsetBytes = index * WINDOW_BYTES;
    const window = Buffer.alloc(Math.min(WINDOW_BYTES, content.sizeBytes - offsetBytes));
    await content.read(offsetBytes, window);
    const oldest = this.windows.keys().next().value;
    if (this.windows.size >= CACHED_WINDOWS && oldest !== undefined) this.windows.delete(oldest);
    this.windows.set(index, window);
    return window;
  }

  private async openAllocation(): Promise<FileReader> {
    const allocation = await this.mft.attribute(this.directory, ATTRIBUTE.indexAllocation, INDEX_NAME);
    if (allocation === null) throw damaged(this.directory, 'lacks its index blocks');
    return openAttribute(this.mft, this.directory, allocation);
  }
}

function openNode(reader: ByteReader, headerOffset: number): Node {
  const endOffset = headerOffset + reader.u32(headerOffset + 4);
  if (endOffset > reader.length) throw new FilesystemError('FS_DAMAGED', `${reader.what} is cut off.`);
  return { reader, endOffset, offset: headerOffset + reader.u32(headerOffset), descended: false };
}

function parseEntry(entry: ByteReader): IndexEntry | null {
  const key = ENTRY_HEADER_BYTES;
  if (entry.u8(key + 65) === NAMESPACE_DOS) return null;
  return {
    reference: readReference(entry, 0),
    nameBytes: Buffer.from(entry.slice(key + 66, entry.u8(key + 64) * 2)),
    modifiedTicks: entry.u64big(key + 16),
    sizeBytes: entry.u64big(key + 48),
    fileAttributes: entry.u32(key + 56),
  };
}

function damaged(directory: MftRecord, reason: string): FilesystemError {
  return new FilesystemError('FS_DAMAGED', `The folder in MFT record ${directory.number} ${reason}.`);
}
