/** Every parser of this package by itself, for the fuzzer: which reader a hostile volume meets is not for its magic to say. */
export { btrfsReader } from '../btrfs/index.ts';
export { decompressLzo } from '../btrfs/lzo.ts';
export { zstdFrameBytes } from '../btrfs/zstdFrame.ts';
export { exfatReader } from '../exfat/reader.ts';
export { extReader } from '../ext/index.ts';
export { fatReader } from '../fat/reader.ts';
export type { FilesystemReader } from '../filesystem.ts';
export { decompressLznt1 } from '../ntfs/lznt1.ts';
export { ntfsReader } from '../ntfs/reader.ts';
export { xfsReader } from '../xfs/index.ts';
