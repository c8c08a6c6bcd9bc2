/** What Windows formats. */
import { decodeBootSector } from '../fat/bootSector.ts';
import { parseBootSector } from '../ntfs/bootSector.ts';
import { type Recogniser, textOf } from './recogniser.ts';

/** NTFS, by its boot sector. Its label is inside. */
export const ntfs: Recogniser = {
  kind: 'ntfs',
  magics: [{ atBytes: 3, bytes: 'NTFS    ' }],
  async describe(volume) {
    const boot = await volume.at(0, 512);
    if (boot === null) return null;
    const { serial, volumeBytes } = parseBootSector(boot.bytes);
    return { uuid: serial, totalBytes: volumeBytes };
  },
};

/** FAT, by its boot sector alone, whose label may be an old one: the one that counts is in the root directory. */
export const fat: Recogniser = {
  kind: 'fat32',
  magics: [{ atBytes: 510, bytes: '\x55\xaa' }],
  async describe(volume) {
    const boot = await volume.at(0, 512);
    const geometry = boot && decodeBootSector(boot.bytes);
    if (!geometry) return null;
    const { kind, serial, totalBytes, bootLabel } = geometry;
    const label = textOf(bootLabel);
    return { kind, totalBytes, uuid: serial === 0 ? '' : shortId(serial), label: label === 'NO NAME' ? '' : label };
  },
};

/** ReFS (libfsrefs): | 3 | 8 | name | 16 | 4 | FSRS | 24 | 8 | sectors | 32 | 4 | bytes per sector |. Its label is inside. */
export const refs: Recogniser = {
  kind: 'refs',
  magics: [{ atBytes: 0, bytes: '\0\0\0ReFS\0' }],
  async describe(volume) {
    const boot = await volume.at(0, 512);
    if (boot === null) return null;
    const sectorBytes = boot.u32(32);
    return sectorBytes >= 512 && sectorBytes <= 65_536 ? { totalBytes: boot.u64(24) * sectorBytes } : {};
  },
};

/** An exFAT volume our reader could not open: its serial is in the boot sector, its label is not. */
export const exfat: Recogniser = {
  kind: 'exfat',
  magics: [{ atBytes: 3, bytes: 'EXFAT   ' }],
  async describe(volume) {
    const boot = await volume.at(0, 512);
    if (boot?.u16(510) !== 0xaa55) return null;
    return { uuid: boot.u32(100) === 0 ? '' : shortId(boot.u32(100)) };
  },
};

/** `1234-ABCD` */
function shortId(serial: number): string {
  const digits = serial.toString(16).toUpperCase().padStart(8, '0');
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}
