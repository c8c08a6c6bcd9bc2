/** Opens an attribute as readable content, whichever way it is stored. */
import { FilesystemError } from '../errors.ts';
import type { FileReader } from '../filesystem.ts';
import type { Attribute } from './attribute.ts';
import { compressedStream } from './compressedStream.ts';
import type { Mft } from './mft.ts';
import type { MftRecord } from './mftRecord.ts';
import { residentStream, runStream } from './stream.ts';

/**
 * @param first first piece of the attribute.
 * @throws FilesystemError `FS_ENCRYPTED_FILE` for EFS content (its keys are not on the volume in the clear), `FS_DAMAGED`.
 */
export async function openAttribute(mft: Mft, file: MftRecord, first: Attribute): Promise<FileReader> {
  if (first.encrypted) {
    throw new FilesystemError(
      'FS_ENCRYPTED_FILE',
      'The file is encrypted by Windows (EFS); only its owner can read it on Windows.',
    );
  }
  if (first.resident) return residentStream(first.value);
  const layout = await mft.layoutOf(file, first);
  const compressed = first.compressed && first.compressionUnitClusters > 0;
  return compressed ? compressedStream(mft.source, layout, first.compressionUnitClusters) : runStream(mft.source, layout);
}
