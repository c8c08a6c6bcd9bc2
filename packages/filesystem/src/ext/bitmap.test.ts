import fc from 'fast-check';
import { expect, test } from 'vitest';
import { forEachRun, setBits } from './bitmap.ts';

function naiveRuns(words: Uint32Array, bitCount: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let bit = 0; bit < bitCount; bit++) {
    if ((((words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === bit) last[1] = bit + 1;
    else runs.push([bit, bit + 1]);
  }
  return runs;
}

const word = fc.oneof(fc.constantFrom(0, 0xffffffff, 1, 0x80000000, 0x7fffffff, 0xfffffffe), fc.nat(0xffffffff));

test('the runs of a bitmap are those a bit-by-bit look finds', () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), fc.nat(31), (values, spare) => {
      const words = Uint32Array.from(values);
      const bitCount = words.length * 32 - spare;
      const found: [number, number][] = [];
      const set = forEachRun(words, bitCount, (start, end) => found.push([start, end]));
      const expected = naiveRuns(words, bitCount);
      expect(found).toEqual(expected);
      expect(set).toBe(expected.reduce((sum, [start, end]) => sum + end - start, 0));
    }),
    { numRuns: 2000 },
  );
});

test('bits set as a range are found as that run', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.integer({ min: 1, max: 56 }), (first, count) => {
      const words = new Uint32Array(8);
      setBits(words, first, count);
      expect(naiveRuns(words, 256)).toEqual([[first, first + count]]);
    }),
  );
});
