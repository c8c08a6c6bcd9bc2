/** Cylinder, head and sector of a sector number, in the geometry all tools have agreed on (255 heads, 63 sectors). */
const HEADS = 255;
const SECTORS = 63;
const MAX_CYLINDER = 1023;

/**
 * The three CHS bytes of a slot. Firmware and systems of today ignore them.
 * @param beyond what to write for a place CHS cannot name: FE FF FF in an MBR, FF FF FF in a protective one
 */
export function encodeChs(sector: number, beyond: 'mbr' | 'gpt'): readonly [number, number, number] {
  const cylinder = Math.floor(sector / (HEADS * SECTORS));
  if (cylinder > MAX_CYLINDER) return beyond === 'mbr' ? [0xfe, 0xff, 0xff] : [0xff, 0xff, 0xff];
  const head = Math.floor(sector / SECTORS) % HEADS;
  return [head, ((cylinder >> 2) & 0xc0) | ((sector % SECTORS) + 1), cylinder & 0xff];
}
