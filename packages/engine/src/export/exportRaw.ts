/**
 * A saved disk as a plain image file: what was free or zero stays a hole. Chunks are read in the order they are stored in, window
 * by window of the map, so memory does not grow with the disk.
 */
import { open, rename, stat, unlink } from 'node:fs/promises';
import { type MapEntry, mapWindows, type SavedDisk, type Vault, VaultError } from '@diskfleet/vault';
import { EngineError } from '../errors.ts';
import { TargetFile } from '../restore/targetFile.ts';
import type { Operation } from '../types.ts';

export interface RawExport {
  readonly pointId: string;
  readonly diskIndex: number;
  /** Must not exist. It has this name only when it is whole and on the medium. */
  readonly path: string;
}

export interface RawExported {
  /** Of the image: that of the disk. */
  readonly sizeBytes: number;
  readonly writtenBytes: number;
  readonly warnings: readonly string[];
}

/** @throws VaultError `PORTABLE_EXISTS`, and what reading throws; DiskError `DISK_FULL`, `DISK_WRITE_FAILED`. Leaves no part of a file behind. */
export async function exportRaw(vault: Vault, { pointId, diskIndex, path }: RawExport, op: Operation): Promise<RawExported> {
  const point = await vault.openPoint(pointId);
  const info = point.body.disks[diskIndex];
  if (info === undefined) throw new EngineError('DISK_NOT_IN_POINT', `the restore point has no disk ${diskIndex}`);
  if ((await stat(path).catch(() => null)) !== null) throw new VaultError('PORTABLE_EXISTS', `${path} exists already`);
  const leftOut = info.partitions.filter(({ content }) => content === 'leftOut').map(({ number }) => number);
  const warnings = [...point.body.warnings];
  if (leftOut.length > 0)
    warnings.push(`partition ${leftOut.join(', ')} is not part of the restore point: its place in the image is empty`);
  const disk = await point.openDisk(diskIndex);
  try {
    const writtenBytes = await writeWhole(vault, { disk, path, usedBytes: info.usedBytes }, op);
    return { sizeBytes: info.sizeBytes, writtenBytes, warnings };
  } finally {
    await disk.close();
  }
}

interface Image {
  readonly disk: SavedDisk;
  readonly path: string;
  readonly usedBytes: number;
}

async function writeWhole(vault: Vault, { disk, path, usedBytes }: Image, op: Operation): Promise<number> {
  const temporary = `${path}.partial`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.truncate(disk.sizeBytes);
    const target = new TargetFile(temporary, path);
    let writtenBytes = 0;
    try {
      for await (const window of mapWindows(disk.mapEntries())) {
        writtenBytes += await writeWindow(vault, { window, target }, op);
        op.onProgress?.({ ...none, phase: 'write', doneBytes: Math.min(writtenBytes, usedBytes), totalBytes: usedBytes });
      }
    } finally {
      target.close();
    }
    await file.sync();
    await rename(temporary, path);
    return writtenBytes;
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw cause;
  } finally {
    await file.close();
  }
}

const none = { newBytes: 0, storedBytes: 0, skippedBytes: 0 };

type DataEntry = Extract<MapEntry, { kind: 'data' }>;

async function writeWindow(
  vault: Vault,
  { window, target }: { window: readonly MapEntry[]; target: TargetFile },
  op: Operation,
): Promise<number> {
  const uses = new Map<string, DataEntry[]>();
  for (const entry of window) {
    if (entry.kind !== 'data') continue;
    const key = entry.chunkId.toString('latin1');
    const known = uses.get(key);
    if (known === undefined) uses.set(key, [entry]);
    else known.push(entry);
  }
  let written = 0;
  const ids = Array.from(uses.values(), ([first]) => first?.chunkId ?? Buffer.alloc(32));
  await vault.readChunks(ids, (chunkId, plain) => {
    op.signal?.throwIfAborted();
    for (const { chunkOffsetBytes, lengthBytes, offsetBytes } of uses.get(Buffer.from(chunkId).toString('latin1')) ?? []) {
      const piece = plain.subarray(chunkOffsetBytes, chunkOffsetBytes + lengthBytes);
      if (piece.length !== lengthBytes) throw new VaultError('POINT_DAMAGED', 'the map wants more of a chunk than it has');
      target.write(piece, offsetBytes);
      written += lengthBytes;
    }
  });
  return written;
}
