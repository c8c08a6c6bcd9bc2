import type { BlockDevice, Extent } from '@diskfleet/disk';
import { checksumOf, type checksumTypes } from '../checksums.ts';

const superblockAt = 65536;

function geometry(image: Buffer): { nodeBytes: number; uuid: Buffer } {
  return { nodeBytes: image.readUInt32LE(superblockAt + 0x94), uuid: image.subarray(superblockAt + 0x20, superblockAt + 0x30) };
}

/** Gives superblock or node a right checksum, as one who means harm would. */
export function seal(block: Buffer, type: (typeof checksumTypes)[number] = 'crc32c'): void {
  checksumOf(type, block.subarray(32)).copy(block);
}

/** Shows an image with all its checksums right, whatever was done to it: so that damage gets past them into the parsers. */
export function resealedDevice(device: BlockDevice): BlockDevice {
  return {
    sizeBytes: device.sizeBytes,
    sectorBytes: device.sectorBytes,
    async read(offsetBytes, target) {
      await device.read(offsetBytes, target);
      const block = Buffer.from(target.buffer, target.byteOffset, target.length);
      if (block.length >= 4096 && Number.isInteger(Math.log2(block.length))) seal(block);
    },
    close: () => device.close(),
  };
}

/** Where damage hurts: the superblock (several times, so that it is hit often) and of each tree node what is filled. */
export function metadataOf(image: Buffer): Extent[] {
  const { nodeBytes, uuid } = geometry(image);
  const superblock = [
    { offsetBytes: superblockAt + 0x20, lengthBytes: 0x22b - 0x20 },
    { offsetBytes: superblockAt + 0x32b, lengthBytes: image.readUInt32LE(superblockAt + 0xa0) },
  ];
  const places: Extent[] = [];
  for (let at = 1 << 20; at + nodeBytes <= image.length; at += 4096) {
    if (!uuid.equals(image.subarray(at + 0x20, at + 0x30))) continue;
    const count = image.readUInt32LE(at + 0x60);
    const leaf = image.readUInt8(at + 0x64) === 0;
    const lengthBytes = Math.min(101 + count * (leaf ? 25 : 33), nodeBytes);
    places.push({ offsetBytes: at + 0x50, lengthBytes: lengthBytes - 0x50 });
    if (!leaf || count === 0) continue;
    // Items are laid from the end of the leaf towards its head.
    const last = Math.min(image.readUInt32LE(at + 101 + (count - 1) * 25 + 17) + 101, nodeBytes - 1);
    places.push({ offsetBytes: at + last, lengthBytes: nodeBytes - last });
  }
  return [...Array.from({ length: 4 }, () => superblock).flat(), ...places];
}
