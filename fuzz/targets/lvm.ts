/** Physical volumes of LVM2: each half of the image may be one, so that groups over two are met as well. */
import { sliceDevice } from '@diskfleet/disk';
import { openPhysicalVolumes } from '@diskfleet/filesystem';
import { insist, type Target } from '../engine/target.ts';
import { checkExtents, codedOnly } from './exerciseFilesystem.ts';

const MAX_VOLUMES = 40;
const MAX_PIECES = 200;

export const target: Target = {
  run: async (subject) => {
    const device = subject.device();
    const halfBytes = Math.floor(device.sizeBytes / 1024) * 512;
    if (halfBytes === 0) return;
    const halves = [sliceDevice(device, 0, halfBytes), sliceDevice(device, halfBytes, halfBytes)];
    await codedOnly(async () => {
      const found = await openPhysicalVolumes(halves);
      insist(found.length === halves.length, `${found.length} answers for ${halves.length} devices`);
      for (const physical of found) {
        if (physical === null) continue;
        checkExtents(physical.usedExtents(new Map()), halfBytes);
        const inner = new Map(physical.volumes.map((volume) => [volume, []]));
        checkExtents(physical.usedExtents(inner), halfBytes);
        for (const { name, sizeBytes, device: content, locate } of physical.volumes.slice(0, MAX_VOLUMES)) {
          insist(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `a volume of ${sizeBytes} bytes`);
          insist(!/\0/.test(name) && !name.split('/').some((part) => ['', '.', '..'].includes(part)), `a volume called ${name}`);
          if (content === null) continue;
          insist(content.sizeBytes === sizeBytes, `a device of ${content.sizeBytes} bytes for a volume of ${sizeBytes}`);
          const head = new Uint8Array(Math.min(sizeBytes, 4096));
          await codedOnly(() => content.read(0, head));
          await codedOnly(() => content.read(sizeBytes - head.length, head));
          let pieces = 0;
          let covered = 0;
          for (const piece of locate({ offsetBytes: 0, lengthBytes: sizeBytes })) {
            insist(piece.at.offsetBytes >= 0 && piece.at.lengthBytes > 0, 'an empty piece');
            insist(piece.at.offsetBytes + piece.at.lengthBytes <= halfBytes, 'a piece outside of its physical volume');
            covered += piece.at.lengthBytes;
            if (++pieces >= MAX_PIECES) break;
          }
          insist(pieces >= MAX_PIECES || covered === sizeBytes, `pieces of ${covered} bytes for a volume of ${sizeBytes}`);
        }
      }
    });
  },
};
