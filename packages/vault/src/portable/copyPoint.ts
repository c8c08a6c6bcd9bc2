/**
 * Puts a restore point of one vault into another: every chunk is read and checked once, hashed under the other vault's key and stored
 * unless it is there. Memory is that of a backup with one writer (9 bytes a chunk of both sides, two packs), one window of the map
 * and the table of ids; nothing else grows with the disk.
 */
import { VaultError } from '../errors.ts';
import { openChunkWriter } from '../pack/chunkWriter.ts';
import type {
  BeginPoint,
  ChunkWriter,
  ChunkWriterSeed,
  MapEntry,
  PointHeader,
  PointWriter,
  SavedDisk,
  SavedPoint,
  Vault,
} from '../types.ts';
import { mapWindows } from './mapWindows.ts';
import { Translation } from './translation.ts';

export interface CopyPoint {
  readonly pointId: string;
  readonly compression?: BeginPoint['compression'];
  readonly signal?: AbortSignal;
  /** Plain bytes of the saved disks. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Packs whose entries are held in memory before an index segment is written for them; a run that dies goes on from there. */
const packsPerCheckpoint = 256;

/**
 * The copy keeps the id unless the other vault has such a point or had one that was removed.
 * @throws VaultError what either vault throws: `CHUNK_DAMAGED`, `CHUNK_MISSING`, `VAULT_FULL`, `VAULT_REFUSED`, …
 */
export async function copyPoint(from: Vault, to: Vault, options: CopyPoint): Promise<PointHeader> {
  return copyPointBy(from, to, { ...options, openWriter: openChunkWriter });
}

interface CopyBy extends CopyPoint {
  readonly openWriter: (seed: ChunkWriterSeed) => Promise<ChunkWriter>;
}

export async function copyPointBy(from: Vault, to: Vault, options: CopyBy): Promise<PointHeader> {
  const point = await from.openPoint(options.pointId);
  const { id, createdAt, ...header } = point.header;
  if (point.body.disks.length === 0) throw new VaultError('POINT_DAMAGED', `restore point ${id} lists no disk`);
  const run = await to.beginPoint({
    ...header,
    id,
    expectedChunks: await countChunks(point, options.signal),
    compression: options.compression ?? 'balanced',
    now: () => new Date(createdAt),
  });
  try {
    const writer = await options.openWriter(run.seed);
    try {
      return await new Copy(from, { run, writer }, options).copy(point);
    } finally {
      await writer.close();
    }
  } catch (cause) {
    await run.abandon();
    throw cause;
  }
}

/** Not less than the distinct chunks: how often one follows another that is not the same. */
async function countChunks(point: SavedPoint, signal: AbortSignal | undefined): Promise<number> {
  let count = 0;
  const met = new Translation();
  for (const index of point.body.disks.keys()) {
    const disk = await point.openDisk(index);
    for await (const entry of disk.mapEntries()) {
      signal?.throwIfAborted();
      if (entry.kind !== 'data' || met.get(entry.chunkId) !== null) continue;
      met.set(entry.chunkId, entry.chunkId);
      count += 1;
    }
  }
  return count;
}

class Copy {
  private readonly from: Vault;
  private readonly run: PointWriter;
  private readonly writer: ChunkWriter;
  private readonly options: CopyPoint;
  private readonly ids = new Translation();
  private readonly idOut = Buffer.alloc(32);
  private newBytes = 0;
  private doneBytes = 0;
  private packs: ReturnType<ChunkWriter['takeSealed']> = [];

  constructor(from: Vault, to: { run: PointWriter; writer: ChunkWriter }, options: CopyPoint) {
    this.from = from;
    this.run = to.run;
    this.writer = to.writer;
    this.options = options;
  }

  async copy(point: SavedPoint): Promise<PointHeader> {
    const disks = [];
    for (const [index, info] of point.body.disks.entries()) {
      const { mapRootId } = await this.copyDisk(await point.openDisk(index), point.header.usedBytes);
      disks.push({ ...info, mapRootId });
    }
    const packs = [...this.packs, ...(await this.writer.finish())];
    const { sizeBytes, usedBytes } = point.header;
    const totals = { sizeBytes, usedBytes, newBytes: this.newBytes };
    return this.run.commit({ packs, disks, warnings: point.body.warnings, totals });
  }

  private async copyDisk(disk: SavedDisk, totalBytes: number): Promise<{ mapRootId: string }> {
    try {
      return await this.run.writeMap(this.entries(disk, totalBytes), disk.sizeBytes);
    } finally {
      await disk.close();
    }
  }

  private async *entries(disk: SavedDisk, totalBytes: number): AsyncIterable<MapEntry> {
    for await (const window of mapWindows(disk.mapEntries())) {
      this.options.signal?.throwIfAborted();
      const ids = await this.copyChunks(window);
      for (const entry of window) {
        this.doneBytes += entry.lengthBytes;
        yield entry.kind === 'zero' ? entry : { ...entry, chunkId: mustHave(ids, entry.chunkId) };
      }
      this.options.onProgress?.(Math.min(this.doneBytes, totalBytes), totalBytes);
    }
  }

  /** The other vault's ids of all chunks of a window, which then has them. */
  private async copyChunks(window: readonly MapEntry[]): Promise<ReadonlyMap<string, Buffer>> {
    const ids = new Map<string, Buffer>();
    const wanted = new Map<string, Buffer>();
    for (const entry of window) {
      if (entry.kind === 'zero') continue;
      const key = entry.chunkId.toString('latin1');
      if (ids.has(key) || wanted.has(key)) continue;
      const known = this.ids.get(entry.chunkId);
      if (known === null) wanted.set(key, entry.chunkId);
      else ids.set(key, known);
    }
    await this.from.readChunks(wanted.values(), async (chunkId, plain) => {
      this.options.signal?.throwIfAborted();
      if (this.writer.add(plain, this.idOut) > 0) this.newBytes += plain.length;
      const id = Buffer.from(chunkId);
      ids.set(id.toString('latin1'), Buffer.from(this.idOut));
      this.ids.set(id, this.idOut);
      if (this.writer.drainNeeded) await this.drain();
    });
    return ids;
  }

  private async drain(): Promise<void> {
    await this.writer.drain();
    this.packs.push(...this.writer.takeSealed());
    if (this.packs.length < packsPerCheckpoint) return;
    const { packs } = this;
    this.packs = [];
    await this.run.checkpoint(packs);
  }
}

function mustHave(ids: ReadonlyMap<string, Buffer>, id: Buffer): Buffer {
  const found = ids.get(id.toString('latin1'));
  if (found === undefined) throw new VaultError('CHUNK_MISSING', `chunk ${id.toString('hex')} was not read`);
  return found;
}
