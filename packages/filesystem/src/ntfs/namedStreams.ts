/**
 * Alternate data streams: further $DATA attributes of a file or folder, each with a name. Windows marks downloads in one, keeps
 * thumbnails, compressed content and much else in others.
 */
import { FilesystemError } from '../errors.ts';
import type { DirectoryEntry, FileReader, NamedStream } from '../filesystem.ts';
import { isDamage } from '../soundParts.ts';
import { ATTRIBUTE, type Attribute } from './attribute.ts';
import { openAttribute } from './fileContent.ts';
import type { Mft } from './mft.ts';
import type { MftRecord } from './mftRecord.ts';

/** In the order of the record. One that is damaged is left out: the file itself stays readable. */
export async function readStreams(mft: Mft, record: MftRecord): Promise<NamedStream[]> {
  const streams: NamedStream[] = [];
  for (const raw of await mft.namesOf(record, ATTRIBUTE.data)) {
    if (raw === '') continue;
    const first = await orMissing(() => mft.attribute(record, ATTRIBUTE.data, raw));
    if (first !== null) streams.push({ name: shownStream(raw), sizeBytes: first.sizeBytes });
  }
  return streams;
}

/** @throws FilesystemError `FS_NOT_FOUND` when the file has no stream of that name. */
export async function openStream(
  mft: Mft,
  record: MftRecord,
  wanted: { file: DirectoryEntry; stream: string },
): Promise<FileReader> {
  const names = await mft.namesOf(record, ATTRIBUTE.data);
  const raw = names.find((name) => name !== '' && shownStream(name) === wanted.stream);
  const first: Attribute | null = raw === undefined ? null : await mft.attribute(record, ATTRIBUTE.data, raw);
  if (first === null) throw new FilesystemError('FS_NOT_FOUND', `"${wanted.file.name}" has no stream "${wanted.stream}".`);
  return openAttribute(mft, record, first);
}

function shownStream(name: string): string {
  return name.toWellFormed().replace(/[/\0]/g, '\ufffd');
}

async function orMissing<T>(read: () => Promise<T | null>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isDamage(error)) return null;
    throw error;
  }
}
