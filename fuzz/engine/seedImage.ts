/**
 * Seeds: healthy images made by the real tools, without their zeros, compressed: `<name>.img.zst` holds a line of JSON (size, sector
 * size, extents) and the bytes of the extents. Changing one would change what every kept input means: new seeds get new names.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';

export const PAGE_BYTES = 4096;
const ending = '.img.zst';

export interface SeedImage {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** What is not zero, by page number. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
}

export function packSeed(bytes: Uint8Array, sectorBytes: number): Buffer {
  const extents: [number, number][] = [];
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 512) {
    const piece = bytes.subarray(at, Math.min(at + 512, bytes.length));
    if (piece.every((byte) => byte === 0)) continue;
    const last = extents.at(-1);
    if (last && last[0] + last[1] === at) last[1] += piece.length;
    else extents.push([at, piece.length]);
    parts.push(piece);
  }
  const head = `${JSON.stringify({ sizeBytes: bytes.length, sectorBytes, extents })}\n`;
  return zstdCompressSync(Buffer.concat([Buffer.from(head), ...parts]));
}

export function unpackSeed(name: string, packed: Uint8Array): SeedImage {
  const all = zstdDecompressSync(packed);
  const end = all.indexOf(10);
  const { sizeBytes, sectorBytes, extents } = JSON.parse(all.toString('utf8', 0, end));
  const pages = new Map<number, Uint8Array>();
  let from = end + 1;
  for (const [offsetBytes, lengthBytes] of extents) {
    for (let at = offsetBytes; at < offsetBytes + lengthBytes; ) {
      const number = Math.floor(at / PAGE_BYTES);
      const page = pages.get(number) ?? new Uint8Array(PAGE_BYTES);
      pages.set(number, page);
      const count = Math.min((number + 1) * PAGE_BYTES, offsetBytes + lengthBytes) - at;
      page.set(all.subarray(from, from + count), at % PAGE_BYTES);
      from += count;
      at += count;
    }
  }
  return { name, sizeBytes, sectorBytes, pages };
}

/** All seeds of a folder, or the one of that name. */
export function loadSeeds(folder: string, only?: string): Map<string, SeedImage> {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .sort();
  const names = files.map((file) => file.slice(0, -ending.length)).filter((name) => only === undefined || name === only);
  return new Map(names.map((name) => [name, unpackSeed(name, readFileSync(join(folder, name + ending)))]));
}
