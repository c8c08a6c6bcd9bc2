import { DiskError } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, Filesystem } from '../filesystem.ts';

/** True for the only errors a reader may let out. */
export function isCoded(error: unknown): boolean {
  return error instanceof FilesystemError || error instanceof DiskError;
}

/** Runs an action; swallows coded errors, lets any other through. */
export async function codedOnly(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isCoded(error)) throw error;
  }
}

/**
 * Touches everything a reader offers, on bytes that may be hostile: the map, every folder (each once), head and tail of every
 * file. Coded errors are swallowed where they happen so that the rest is still tried. `maxEntries` bounds the work.
 */
export async function exercise(filesystem: Filesystem, maxEntries = 2000): Promise<void> {
  await codedOnly(() => filesystem.usedMap());
  const seen = new Set<string>();
  const queue: DirectoryEntry[] = [];
  await codedOnly(async () => queue.push(await filesystem.root()));
  let entries = 0;
  for (let directory = queue.pop(); directory && entries < maxEntries; directory = queue.pop()) {
    if (seen.has(directory.ref)) continue;
    seen.add(directory.ref);
    const current = directory;
    await codedOnly(async () => {
      for await (const entry of filesystem.readDirectory(current)) {
        if (++entries >= maxEntries) return;
        if (entry.type === 'directory') queue.push(entry);
        else if (entry.type === 'file') await codedOnly(() => readEnds(filesystem, entry));
        for (const { name } of entry.streams ?? []) await codedOnly(() => readEnds(filesystem, entry, name));
      }
    });
  }
  await codedOnly(() => walkLayouts(filesystem, maxEntries));
  await codedOnly(async () => filesystem.volatileFiles?.());
}

/** Whatever the bytes, an extent lies inside the volume and comes after the one before in the file. */
async function walkLayouts(filesystem: Filesystem, maxFiles: number): Promise<void> {
  let files = 0;
  for await (const { path, extents } of filesystem.fileLayouts?.() ?? []) {
    let fileEnd = 0;
    for (const { fileOffsetBytes, volumeOffsetBytes, lengthBytes } of extents) {
      const inside = volumeOffsetBytes >= 0 && volumeOffsetBytes + lengthBytes <= filesystem.info.totalBytes;
      if (!(inside && lengthBytes > 0 && fileOffsetBytes >= fileEnd)) {
        throw new Error(`${path} is told to lie at ${volumeOffsetBytes}+${lengthBytes}, byte ${fileOffsetBytes} of the file`);
      }
      fileEnd = fileOffsetBytes + lengthBytes;
    }
    if (++files >= maxFiles) return;
  }
}

async function readEnds(filesystem: Filesystem, entry: DirectoryEntry, stream?: string): Promise<void> {
  const content = await filesystem.openFile(entry, stream === undefined ? {} : { stream });
  const head = new Uint8Array(Math.min(content.sizeBytes, 256 << 10));
  await codedOnly(() => content.read(0, head));
  const tail = new Uint8Array(Math.min(content.sizeBytes, 16 << 10));
  await codedOnly(() => content.read(content.sizeBytes - tail.length, tail));
}
