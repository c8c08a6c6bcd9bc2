import { type BlockDevice, type Extent, memoryDevice } from '@diskfleet/disk';
import { exercise } from '../../testing/index.ts';
import { sealOf } from '../seal.ts';
import { readSuperblock, type Superblock } from '../superblock.ts';
import { openXfs } from '../xfsFilesystem.ts';

/**
 * Where damage hurts: whatever a reader looks at to make the map, to list all folders and to find (not read) all content. The
 * heads of the volume and of its groups come several times, so that they are hit often; the log only where it was looked at.
 */
export async function metadataOf(bytes: Uint8Array): Promise<Extent[]> {
  const places: Extent[] = [];
  const memory = memoryDevice(bytes);
  const recording: BlockDevice = {
    ...memory,
    async read(offsetBytes, target) {
      places.push({ offsetBytes, lengthBytes: target.length });
      await memory.read(offsetBytes, target);
    },
  };
  const filesystem = await openXfs(recording);
  await exercise({
    ...filesystem,
    async openFile(file) {
      await filesystem.openFile(file);
      return { sizeBytes: 0, read: async () => {} };
    },
  });
  const { groupCount, groupBlocks, blockBytes, sectorBytes } = await readSuperblock(memory);
  const heads = Array.from({ length: groupCount }, (_, group) => ({
    offsetBytes: group * groupBlocks * blockBytes + sectorBytes,
    lengthBytes: 96,
  }));
  const core = [{ offsetBytes: 0, lengthBytes: 264 }, ...heads];
  return [...Array.from({ length: Math.ceil(places.length / 40) }, () => core).flat(), ...places];
}

/** Where each kind of version 5 metadata has its checksum, and how many bytes that covers. */
function sealedParts(superblock: Superblock): ReadonlyMap<number, { field: number; lengthBytes: number }> {
  const { blockBytes, sectorBytes, directoryBlockBytes } = superblock;
  return new Map([
    [0x58465342, { field: 224, lengthBytes: sectorBytes }],
    [0x58414746, { field: 216, lengthBytes: sectorBytes }],
    [0x5841464c, { field: 32, lengthBytes: sectorBytes }],
    [0x41423342, { field: 52, lengthBytes: blockBytes }],
    [0x424d4133, { field: 64, lengthBytes: blockBytes }],
    [0x58444233, { field: 4, lengthBytes: directoryBlockBytes }],
    [0x58444433, { field: 4, lengthBytes: directoryBlockBytes }],
    [0x58534c4d, { field: 12, lengthBytes: blockBytes }],
  ]);
}

/** Shows a volume with all checksums made right again, so that damage reaches what they otherwise guard. */
export function resealedDevice(device: BlockDevice, superblock: Superblock): BlockDevice {
  const parts = sealedParts(superblock);
  return {
    ...device,
    async read(offsetBytes, target) {
      await device.read(offsetBytes, target);
      const bytes = Buffer.from(target.buffer, target.byteOffset, target.length);
      const first = (512 - (offsetBytes % 512)) % 512;
      for (let at = first; at + 512 <= bytes.length; at += 512) {
        const isInode = bytes.readUInt16BE(at) === 0x494e && bytes.readUInt8(at + 4) === 3;
        const part = isInode ? { field: 100, lengthBytes: superblock.inodeBytes } : parts.get(bytes.readUInt32BE(at));
        if (!part || at + part.lengthBytes > bytes.length) continue;
        bytes.writeUInt32LE(sealOf(bytes.subarray(at, at + part.lengthBytes), part.field), at + part.field);
      }
    },
  };
}
