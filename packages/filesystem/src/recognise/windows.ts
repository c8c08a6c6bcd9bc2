/** What Windows formats and we do not read, or could not open. */
import type { Recogniser } from './recogniser.ts';

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
    const serial = boot.u32(100).toString(16).toUpperCase().padStart(8, '0');
    return { uuid: serial === '00000000' ? '' : `${serial.slice(0, 4)}-${serial.slice(4)}` };
  },
};
