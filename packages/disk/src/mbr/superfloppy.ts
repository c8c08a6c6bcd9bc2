/**
 * Tells a filesystem's own boot sector from an MBR: both end in 55 AA. Slots that all lie on the disk weigh more, so an MBR whose
 * boot code was made from a boot sector stays an MBR; message text read as slots never does lie there.
 */
export function looksLikeBootSector(sector: Buffer): boolean {
  const jump = sector.readUInt8(0);
  if (jump !== 0xeb && jump !== 0xe9) return false;
  const oem = sector.toString('latin1', 3, 11);
  if (oem === 'NTFS    ' || oem === 'EXFAT   ' || oem === 'ReFS\0\0\0\0' || oem.startsWith('-FVE-FS-')) return true;
  const bytesPerSector = sector.readUInt16LE(11);
  const sectorsPerCluster = sector.readUInt8(13);
  const media = sector.readUInt8(21);
  const powerOfTwo = sectorsPerCluster > 0 && (sectorsPerCluster & (sectorsPerCluster - 1)) === 0;
  return (
    [512, 1024, 2048, 4096].includes(bytesPerSector) &&
    powerOfTwo &&
    sector.readUInt8(16) > 0 &&
    (media === 0xf0 || media >= 0xf8)
  );
}
