/**
 * Reparse points: files and folders that Windows hands to a filter driver. Links we can show; content that only the driver
 * can make (deduplicated, compressed by WOF, kept in the cloud) we must refuse rather than return as zeros.
 * Layout: tag u32, data length u16, reserved u16, data. Tags and link layouts as in [MS-FSCC] 2.1.2.
 */
import { ByteReader } from '../byteReader.ts';
import { FilesystemError } from '../errors.ts';

const TAG = {
  mountPoint: 0xa0000003,
  symlink: 0xa000000c,
  linuxSymlink: 0xa000001d,
  nfs: 0x80000014,
  unixSocket: 0x80000023,
  linuxFifo: 0x80000024,
  linuxCharacterDevice: 0x80000025,
  linuxBlockDevice: 0x80000026,
} as const;

/** Tags whose content is in the file itself, unchanged: application packages, and cloud files that are at home. */
const CLOUD_TAG_MASK = 0xffff0fff;
const CLOUD_TAG = 0x9000001a;
const ONEDRIVE_TAG = 0x80000021;
const LARGEST_REPARSE_BYTES = 16 * 1024;

const PROVIDERS: ReadonlyMap<number, string> = new Map([
  [0x80000017, 'compressed by the Windows Overlay Filter (CompactOS)'],
  [0x80000013, 'deduplicated by Windows Server'],
  [0x80000008, 'kept in single-instance storage'],
  [0x80000006, 'moved to hierarchical storage'],
]);

export type ReparseMeaning =
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'other' }
  /** The file's own content is what it seems to be. */
  | { readonly kind: 'plain' }
  /** Content only a Windows driver can produce. */
  | { readonly kind: 'provided'; readonly by: string };

/** @param absent whether the file's attributes say its content is elsewhere (offline, recall on access). */
export function interpretReparsePoint(value: Buffer, absent: boolean): ReparseMeaning {
  if (value.length > LARGEST_REPARSE_BYTES) throw new FilesystemError('FS_DAMAGED', 'A reparse point is too large.');
  const reader = new ByteReader(value, 'A reparse point');
  const tag = reader.u32(0);
  switch (tag) {
    case TAG.mountPoint:
      return { kind: 'link', target: windowsTarget(reader, 16) };
    case TAG.symlink:
      return { kind: 'link', target: windowsTarget(reader, 20) };
    case TAG.linuxSymlink:
      return { kind: 'link', target: reader.slice(12, reader.length - 12).toString('utf8') };
    case TAG.nfs:
      return nfsMeaning(reader);
    case TAG.unixSocket:
    case TAG.linuxFifo:
    case TAG.linuxCharacterDevice:
    case TAG.linuxBlockDevice:
      return { kind: 'other' };
    default: {
      const cloud = (tag & CLOUD_TAG_MASK) >>> 0 === CLOUD_TAG || tag === ONEDRIVE_TAG;
      if (cloud) return absent ? { kind: 'provided', by: 'kept in the cloud and not on this disk' } : { kind: 'plain' };
      const by = PROVIDERS.get(tag);
      if (by !== undefined) return { kind: 'provided', by };
      return { kind: 'provided', by: `handed to a Windows driver (reparse tag 0x${tag.toString(16)})` };
    }
  }
}

/** Print name, else the substitute name without its `\??\`. Both lie in the buffer at `bufferOffset`. */
function windowsTarget(reader: ByteReader, bufferOffset: number): string {
  const text = (field: number) =>
    reader
      .slice(bufferOffset + reader.u16(field), reader.u16(field + 2))
      .toString('utf16le')
      .toWellFormed();
  const printed = text(12);
  return printed !== '' ? printed : text(8).replace(/^\\\?\?\\/, '');
}

/** Files made by the NFS server of Windows: a type in letters (read backwards), then UTF-16 for links. */
function nfsMeaning(reader: ByteReader): ReparseMeaning {
  const type = reader.slice(8, 8).toString('latin1');
  if (!type.startsWith('KNL')) return { kind: 'other' };
  return {
    kind: 'link',
    target: reader
      .slice(16, reader.length - 16)
      .toString('utf16le')
      .replace(/\0.*$/su, '')
      .toWellFormed(),
  };
}
