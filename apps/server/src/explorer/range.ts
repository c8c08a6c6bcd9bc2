/** One byte range of a `Range` header, half-open; the whole when there is none or several; null when it lies outside. */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { fromByte: number; toByte: number; part: boolean } | null {
  const whole = { fromByte: 0, toByte: sizeBytes, part: false };
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return whole;
  if (match[1] === '') {
    const last = Number(match[2]);
    return last === 0 || sizeBytes === 0 ? null : { fromByte: Math.max(0, sizeBytes - last), toByte: sizeBytes, part: true };
  }
  const fromByte = Number(match[1]);
  const toByte = match[2] === '' ? sizeBytes : Math.min(sizeBytes, Number(match[2]) + 1);
  return fromByte < sizeBytes && fromByte < toByte ? { fromByte, toByte, part: true } : null;
}
