import { expect, test } from 'vitest';
import { parseRange } from './range.ts';

test('byte ranges of RFC 9110', () => {
  const whole = { fromByte: 0, toByte: 100, part: false };
  expect(parseRange(undefined, 100)).toEqual(whole);
  expect(parseRange('bytes=0-0', 100)).toEqual({ fromByte: 0, toByte: 1, part: true });
  expect(parseRange('bytes=10-', 100)).toEqual({ fromByte: 10, toByte: 100, part: true });
  expect(parseRange('bytes=90-500', 100)).toEqual({ fromByte: 90, toByte: 100, part: true });
  expect(parseRange('bytes=-5', 100)).toEqual({ fromByte: 95, toByte: 100, part: true });
  expect(parseRange('bytes=-500', 100)).toEqual({ fromByte: 0, toByte: 100, part: true });
  for (const outside of ['bytes=100-', 'bytes=5-4', 'bytes=-0']) expect(parseRange(outside, 100)).toBeNull();
  for (const ignored of ['bytes=-', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=x-']) expect(parseRange(ignored, 100)).toEqual(whole);
});
