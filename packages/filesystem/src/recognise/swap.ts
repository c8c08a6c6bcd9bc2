/**
 * Linux swap space. The magic ends the first page, whose size is that of the machine's memory pages, so it may stand at several
 * places; while a machine is suspended another one takes its place and the pages hold its memory.
 *
 * | at | bytes | field | | 1024 | 4 | version 1 | 1028 | 4 | last page | 1036 | 16 | uuid | 1052 | 16 | label | 1068 | 468 | zero |
 */
import { type Description, formatUuid, type Magic, type Recogniser, textOf, type VolumeBytes } from './recogniser.ts';

const PAGE_SIZES = [4096, 8192, 16_384, 32_768, 65_536];
const MAGIC_BYTES = 10;
const PADDING_OFFSET_BYTES = 1068;
const PADDING_BYTES = 468;

function atPageEnds(magics: readonly string[], fromEndBytes: number): Magic[] {
  return PAGE_SIZES.flatMap((pageBytes) => magics.map((bytes) => ({ atBytes: pageBytes - fromEndBytes, bytes })));
}

/** Version 0 says nothing but its magic. */
async function describeHeader(volume: VolumeBytes, pageBytes: number): Promise<Description | null> {
  const header = await volume.at(0, pageBytes);
  if (header === null) return null;
  const [little, big] = [header.u32(1024) === 1, header.u32be(1024) === 1];
  if (!little && !big) return {};
  const lastPage = little ? header.u32(1028) : header.u32be(1028);
  return {
    label: textOf(header.slice(1052, 16)),
    uuid: formatUuid(header.slice(1036, 16)),
    totalBytes: (lastPage + 1) * pageBytes,
  };
}

export const swap: Recogniser = {
  kind: 'swap',
  magics: atPageEnds(['SWAPSPACE2', 'SWAP-SPACE'], MAGIC_BYTES),
  async describe(volume, magicAt) {
    const pageBytes = magicAt + MAGIC_BYTES;
    const found = await describeHeader(volume, pageBytes);
    const padding = await volume.at(PADDING_OFFSET_BYTES, PADDING_BYTES);
    // What was swapped out is lost with the running system; a new one needs the header alone.
    const usedExtents = [{ offsetBytes: 0, lengthBytes: pageBytes }];
    // Where zeros belong, ext has the middle of its superblock: a remnant of swap space must not hide a damaged ext volume.
    const sound = found?.totalBytes !== undefined && padding?.bytes.every((byte) => byte === 0);
    return sound ? { ...found, usedExtents } : found;
  },
};

/** Hibernated: the pages hold a whole machine's memory, and all of them are needed to wake it. */
export const swsuspend: Recogniser = {
  kind: 'swsuspend',
  magics: atPageEnds(['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001'], MAGIC_BYTES),
  describe: async (volume, magicAt) => {
    const found = await describeHeader(volume, magicAt + MAGIC_BYTES);
    return found && { ...found, totalBytes: volume.sizeBytes };
  },
};
