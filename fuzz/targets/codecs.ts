/** Decompressors of our own. The first two bytes say how much they may fill. */
import { decompressLznt1, decompressLzo, zstdFrameBytes } from '@diskfleet/filesystem/testing/parsers';
import { insist, type Target } from '../engine/target.ts';
import { codedOnly } from './exerciseFilesystem.ts';

export const target: Target = {
  run: async (subject) => {
    const bytes = subject.bytes();
    if (bytes.length < 2) return;
    const source = bytes.subarray(2);
    const target = new Uint8Array(bytes.readUInt16LE(0));
    await codedOnly(async () => {
      const filled = decompressLzo(source, target);
      insist(filled >= 0 && filled <= target.length, `${filled} bytes filled of ${target.length}`);
    });
    await codedOnly(async () => decompressLznt1(source, target));
    await codedOnly(async () => {
      const length = zstdFrameBytes(source);
      insist(length > 0 && length <= source.length, `a frame of ${length} bytes in ${source.length}`);
    });
  },
};
