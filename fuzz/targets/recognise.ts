/** The table of magics: what is named, never what is read. */
import { recogniseVolume } from '@diskfleet/filesystem';
import { insist, type Target } from '../engine/target.ts';
import { checkExtents, codedOnly } from './exerciseFilesystem.ts';

export const target: Target = {
  run: (subject) =>
    codedOnly(async () => {
      const found = await recogniseVolume(subject.device());
      if (found === null) return;
      insist(Number.isSafeInteger(found.totalBytes) && found.totalBytes <= subject.sizeBytes, `${found.totalBytes} bytes`);
      insist(Number.isSafeInteger(found.usedBytes) && found.usedBytes <= found.totalBytes, `${found.usedBytes} used`);
      if (found.usedExtents !== null) checkExtents(found.usedExtents, subject.sizeBytes);
    }),
};
