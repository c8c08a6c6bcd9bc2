/**
 * Names what lies on a volume by its magic, in the manner of libblkid: kinds we have no reader for, volumes their reader could not
 * open, and the remains of earlier use beside what a reader opened. Nothing here is enough to leave bytes out of a backup, with one exception: swap space.
 */
import { type BlockDevice, type Extent, sumBytes } from '@diskfleet/disk';
import { FilesystemError } from '../errors.ts';
import { apfs, hfsplus } from './apple.ts';
import { bcache, bitlocker, linuxRaid, luks, lvm2 } from './containers.ts';
import { btrfs, erofs, ext, f2fs, jfs, reiserfs, squashfs, xfs } from './linux.ts';
import { iso9660, udf } from './optical.ts';
import { type Description, type RecognisedKind, type Recogniser, VolumeBytes } from './recogniser.ts';
import { swap, swsuspend } from './swap.ts';
import { exfat, fat, ntfs, refs } from './windows.ts';
import { zfs } from './zfs.ts';

/**
 * In this order: what holds volumes before what holds files, as a container may show remains of what it replaced; RAID first, whose
 * members may show all that is in it.
 */
const recognisers: readonly Recogniser[] = [
  linuxRaid,
  luks,
  bitlocker,
  lvm2,
  bcache,
  swsuspend,
  swap,
  xfs,
  btrfs,
  ext,
  f2fs,
  apfs,
  hfsplus,
  refs,
  exfat,
  ntfs,
  fat,
  squashfs,
  erofs,
  jfs,
  reiserfs,
  udf,
  iso9660,
  zfs,
];

export interface RecognisedVolume {
  readonly kind: RecognisedKind;
  /** Empty when it has none, or none outside of what is encrypted or deep inside. */
  readonly label: string;
  /** As blkid prints it. Empty when there is none. */
  readonly uuid: string;
  /** As its header says, never more than there is; the size of the volume where it does not say. */
  readonly totalBytes: number;
  /** The bytes worth keeping of `totalBytes`; null: all of them. Set for swap space that no other kind claims. */
  readonly usedExtents: readonly Extent[] | null;
  readonly usedBytes: number;
  /** Other kinds whose marks it carries too. */
  readonly others: readonly RecognisedKind[];
  /** What else people may want to know, or empty. */
  readonly details: string;
}

/**
 * @returns null when no magic of the table is there
 * @throws DiskError when the medium cannot be read; never on what the bytes say
 */
export async function recogniseVolume(device: BlockDevice): Promise<RecognisedVolume | null> {
  const volume = new VolumeBytes(device);
  const [first, ...others] = await matches(volume);
  if (first === undefined) return null;
  const claimed = first.totalBytes ?? 0;
  const totalBytes = claimed > 0 && claimed <= device.sizeBytes ? claimed : device.sizeBytes;
  // A header that claims more than there is may be a remnant: nothing is left out on its word.
  const usedExtents = totalBytes === claimed && others.length === 0 ? (first.usedExtents ?? null) : null;
  return {
    kind: first.kind,
    label: first.label ?? '',
    uuid: first.uuid ?? '',
    totalBytes,
    usedExtents,
    usedBytes: usedExtents === null ? totalBytes : sumBytes(usedExtents),
    others: others.map(({ kind }) => kind),
    details: first.details ?? '',
  };
}

type Match = Description & { readonly kind: RecognisedKind };

/** Every line of the table that fits, the first one first. */
async function matches(volume: VolumeBytes): Promise<Match[]> {
  const found: Match[] = [];
  for (const recogniser of recognisers) {
    const description = await look(volume, recogniser);
    if (description !== null) found.push({ kind: recogniser.kind, ...description });
  }
  return found;
}

async function look(volume: VolumeBytes, { magics, describe }: Recogniser): Promise<Description | null> {
  for (const { atBytes, bytes } of magics) {
    const magicAt = typeof atBytes === 'number' ? atBytes : atBytes(volume.sizeBytes);
    const there = await volume.at(magicAt, bytes.length);
    if (there === null || there.bytes.toString('latin1') !== bytes) continue;
    try {
      const description = await describe(volume, magicAt);
      if (description !== null) return description;
    } catch (error) {
      // A header that contradicts itself: the magic stood there by chance.
      if (!(error instanceof FilesystemError)) throw error;
    }
  }
  return null;
}
