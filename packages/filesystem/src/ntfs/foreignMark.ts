/** Marks of other formats, to tell a damaged NTFS volume from one that was NTFS before it was formatted anew. */
import { type BlockDevice, readBytes } from '@diskfleet/disk';

const HEAD_BYTES = 68 * 1024;

const MARKS: readonly { readonly offset: number; readonly mark: string }[] = [
  { offset: 0, mark: 'XFSB' },
  { offset: 0, mark: 'LUKS\xba\xbe' },
  { offset: 3, mark: '-FVE-FS-' },
  { offset: 3, mark: 'EXFAT   ' },
  { offset: 3, mark: 'ReFS' },
  { offset: 54, mark: 'FAT' },
  { offset: 82, mark: 'FAT32' },
  ...[0, 512, 1024, 1536].map((offset) => ({ offset, mark: 'LABELONE' })),
  { offset: 1024 + 56, mark: '\x53\xef' },
  { offset: 4096 - 10, mark: 'SWAPSPACE2' },
  { offset: 64 * 1024 + 64, mark: '_BHRfS_M' },
];

export async function looksForeign(device: BlockDevice): Promise<boolean> {
  const head = await readBytes(device, 0, Math.min(HEAD_BYTES, device.sizeBytes));
  return MARKS.some(({ offset, mark }) => head.toString('latin1', offset, offset + mark.length) === mark);
}
