/** `used.ts DISK OUT`: the used bytes of a disk, one after the other, for tools that cannot find them. */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openFileDevice } from '@diskfleet/disk';
import { readUsedDisk } from '@diskfleet/engine';

const PIECE_BYTES = 4 << 20;
const [path = '', out = ''] = process.argv.slice(2);

const device = await openFileDevice(path);
const { usedExtents } = await readUsedDisk(device);

async function* pieces() {
  for (const { offsetBytes, lengthBytes } of usedExtents) {
    for (let at = 0; at < lengthBytes; at += PIECE_BYTES) {
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, lengthBytes - at));
      await device.read(offsetBytes + at, piece);
      yield piece;
    }
  }
}

await pipeline(Readable.from(pieces()), createWriteStream(out));
await device.close();
