import { open } from 'node:fs/promises';
import { type Extent, openFileDevice, readBytes } from '@diskfleet/disk';

/** What a restore would leave on a disk full of old data: only `extents` of the image are copied, all else is noise. */
export async function restoreUsedOnly(image: string, extents: readonly Extent[], target: string): Promise<void> {
  const device = await openFileDevice(image);
  const file = await open(target, 'w');
  try {
    const noise = Buffer.alloc(1 << 20, 0xa5);
    for (let at = 0; at < device.sizeBytes; at += noise.length) {
      await file.write(noise, 0, Math.min(noise.length, device.sizeBytes - at), at);
    }
    for (const { offsetBytes, lengthBytes } of extents) {
      for (let done = 0; done < lengthBytes; done += noise.length) {
        const piece = await readBytes(device, offsetBytes + done, Math.min(noise.length, lengthBytes - done));
        await file.write(piece, 0, piece.length, offsetBytes + done);
      }
    }
  } finally {
    await file.close();
    await device.close();
  }
}
