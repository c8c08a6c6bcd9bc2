/** Filesystems of Linux without a reader of ours, or whose reader could not open them. */
import { formatUuid, type Recogniser, textOf, wideTextOf } from './recogniser.ts';

const EXT_SUPER_BYTES = 1024;
const EXT_JOURNAL_DEVICE = 0x8;

/**
 * ext2, ext3, ext4 and a journal of theirs on a volume of its own (kernel.org, "ext4 Data Structures and Algorithms"), at 1 KiB:
 * | 0 | 4 | inodes | 4 | 4 | blocks | 24 | 4 | log2 of block size - 10 | 32 | 4 | blocks per group | 76 | 4 | revision | 92, 96, 100 | 4 each |
 * features | 104 | 16 | uuid | 120 | 16 | label | 336 | 4 | blocks, upper half |
 */
export const ext: Recogniser = {
  kind: 'ext4',
  magics: [{ atBytes: EXT_SUPER_BYTES + 56, bytes: '\x53\xef' }],
  async describe(volume) {
    const block = await volume.at(EXT_SUPER_BYTES, 1024);
    if (block === null || block.u32(24) > 6 || block.u32(76) > 1 || block.u32(4) === 0) return null;
    const [compatible, incompatible, readOnly] = [block.u32(92), block.u32(96), block.u32(100)];
    const named = { uuid: formatUuid(block.slice(104, 16)), label: textOf(block.slice(120, 16)) };
    if ((incompatible & EXT_JOURNAL_DEVICE) !== 0) return { ...named, kind: 'jbd' };
    if (block.u32(0) === 0 || block.u32(32) === 0) return null;
    const upper = (incompatible & 0x80) === 0 ? 0 : block.u32(336);
    const totalBytes = (block.u32(4) + upper * 2 ** 32) * 2 ** (10 + block.u32(24));
    // Anything more than ext3 may have makes it ext4.
    if ((incompatible & ~0x16) !== 0 || (readOnly & ~0x7) !== 0) return { ...named, totalBytes, kind: 'ext4' };
    return { ...named, totalBytes, kind: (compatible & 0x4) === 0 ? 'ext2' : 'ext3' };
  },
};

/** XFS (xfs_format.h), big-endian: | 4 | 4 | block size | 8 | 8 | blocks | 32 | 16 | uuid | 108 | 12 | label | */
export const xfs: Recogniser = {
  kind: 'xfs',
  magics: [{ atBytes: 0, bytes: 'XFSB' }],
  async describe(volume) {
    const block = await volume.at(0, 264);
    const blockBytes = block?.u32be(4) ?? 0;
    if (block === null || !isPowerOfTwo(blockBytes, 512, 65_536)) return null;
    return {
      uuid: formatUuid(block.slice(32, 16)),
      label: textOf(block.slice(108, 12)),
      totalBytes: blockBytes * block.u64be(8),
    };
  },
};

const BTRFS_SUPER_BYTES = 64 << 10;

/** btrfs (btrfs_tree.h), at 64 KiB: | 32 | 16 | uuid | 209 | 8 | bytes of this device | 299 | 256 | label | */
export const btrfs: Recogniser = {
  kind: 'btrfs',
  magics: [{ atBytes: BTRFS_SUPER_BYTES + 64, bytes: '_BHRfS_M' }],
  async describe(volume) {
    const block = await volume.at(BTRFS_SUPER_BYTES, 1024);
    return block && { uuid: formatUuid(block.slice(32, 16)), label: textOf(block.slice(299, 256)), totalBytes: block.u64(209) };
  },
};

/** F2FS (f2fs_fs.h), at 1 KiB: | 16 | 4 | log2 of block size | 36 | 8 | blocks | 108 | 16 | uuid | 124 | 1024 | label, UTF-16 | */
export const f2fs: Recogniser = {
  kind: 'f2fs',
  magics: [{ atBytes: 1024, bytes: '\x10\x20\xf5\xf2' }],
  async describe(volume) {
    const block = await volume.at(1024, 1148);
    if (block === null || block.u32(16) < 9 || block.u32(16) > 16) return null;
    return {
      uuid: formatUuid(block.slice(108, 16)),
      label: wideTextOf(block.slice(124, 1024), 'le'),
      totalBytes: block.u64(36) * 2 ** block.u32(16),
    };
  },
};

/** SquashFS 4 (squashfs_fs.h): | 20 | 2 | compression | 28 | 2 | major version | 40 | 8 | bytes used |. No id, no label. */
export const squashfs: Recogniser = {
  kind: 'squashfs',
  magics: [{ atBytes: 0, bytes: 'hsqs' }],
  async describe(volume) {
    const block = await volume.at(0, 96);
    return block?.u16(28) === 4 ? { totalBytes: block.u64(40) } : null;
  },
};

/** EROFS (erofs_fs.h), at 1 KiB: | 12 | 1 | log2 of block size | 36 | 4 | blocks | 48 | 16 | uuid | 64 | 16 | label | */
export const erofs: Recogniser = {
  kind: 'erofs',
  magics: [{ atBytes: 1024, bytes: '\xe2\xe1\xf5\xe0' }],
  async describe(volume) {
    const block = await volume.at(1024, 128);
    if (block === null || block.u8(12) < 9 || block.u8(12) > 16) return null;
    return {
      uuid: formatUuid(block.slice(48, 16)),
      label: textOf(block.slice(64, 16)),
      totalBytes: block.u32(36) * 2 ** block.u8(12),
    };
  },
};

const JFS_SUPER_BYTES = 32 << 10;

/** JFS (jfs_superblock.h), at 32 KiB: | 8 | 8 | sectors | 16 | 4 | block size | 24 | 4 | sector size | 136 | 16 | uuid | 152 | 16 | label | */
export const jfs: Recogniser = {
  kind: 'jfs',
  magics: [{ atBytes: JFS_SUPER_BYTES, bytes: 'JFS1' }],
  async describe(volume) {
    const block = await volume.at(JFS_SUPER_BYTES, 184);
    if (block === null || !isPowerOfTwo(block.u32(16), 512, 4096) || !isPowerOfTwo(block.u32(24), 512, 4096)) return null;
    return {
      uuid: formatUuid(block.slice(136, 16)),
      label: textOf(block.slice(152, 16)),
      totalBytes: block.u64(8) * block.u32(24),
    };
  },
};

const REISER_SUPER_BYTES = 64 << 10;

/** ReiserFS 3.5 and 3.6 (reiserfs_fs.h), at 64 KiB: | 0 | 4 | blocks | 44 | 2 | block size | 52 | magic | 84 | 16 | uuid | 100 | 16 | label | */
export const reiserfs: Recogniser = {
  kind: 'reiserfs',
  magics: ['ReIsErFs', 'ReIsEr2Fs', 'ReIsEr3Fs'].map((bytes) => ({ atBytes: REISER_SUPER_BYTES + 52, bytes })),
  async describe(volume) {
    const block = await volume.at(REISER_SUPER_BYTES, 128);
    if (block === null || !isPowerOfTwo(block.u16(44), 512, 32_768)) return null;
    return {
      uuid: formatUuid(block.slice(84, 16)),
      label: textOf(block.slice(100, 16)),
      totalBytes: block.u32(0) * block.u16(44),
    };
  },
};

function isPowerOfTwo(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && Number.isInteger(Math.log2(value));
}
