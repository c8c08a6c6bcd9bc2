/** Every target there is: the file of that name in this folder, with seeds in `seeds/<name>`. */
export interface TargetName {
  readonly name: string;
  /** Sources that are the parser's own, by their path below `packages/`: how much of them is reached is reported. */
  readonly own: RegExp;
}

export const targetNames: readonly TargetName[] = [
  { name: 'table', own: /^disk\/src\/(gpt|mbr|table)\// },
  { name: 'ext', own: /^filesystem\/src\/ext\// },
  { name: 'ntfs', own: /^filesystem\/src\/ntfs\// },
  { name: 'fat', own: /^filesystem\/src\/fat\// },
  { name: 'exfat', own: /^filesystem\/src\/exfat\// },
  { name: 'xfs', own: /^filesystem\/src\/xfs\// },
  { name: 'btrfs', own: /^filesystem\/src\/btrfs\// },
  { name: 'recognise', own: /^filesystem\/src\/recognise\// },
  { name: 'lvm', own: /^filesystem\/src\/lvm\// },
  { name: 'codecs', own: /^filesystem\/src\/(btrfs\/(lzo|zstdFrame)|ntfs\/lznt1)\.ts$/ },
  {
    name: 'vault',
    own: /^vault\/src\/(bytes\.ts|config\/|index\/(entry|segment)|map\/mapNodes|pack\/(layout|recordDecoder)|point\/manifest)/,
  },
  {
    name: 'portable',
    own: /^vault\/src\/(portable\/(layout|parts|fileStore)|map\/(mapNodes|savedDisk)|pack\/(chunkReader|recordDecoder)|point\/manifest|config\/)/,
  },
  { name: 'messages', own: /^protocol\/src\/|^zod\/v4\/core\/(parse|checks|schemas|regexes|errors)\./ },
];
