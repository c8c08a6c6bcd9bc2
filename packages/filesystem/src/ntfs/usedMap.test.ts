import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scanBits } from './usedMap.ts';

test('runs of set bits are those a bit by bit count finds', () => {
  const word = fc.oneof(
    fc.constantFrom(0, 0xffffffff, 1, 0x80000000, 0x7fffffff, 0xfffffffe),
    fc.integer({ min: 0, max: 0xffffffff }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), fc.nat(256), (words, limit) => {
      const bits = Math.min(limit, words.length * 32);
      const expected = new Set<number>();
      for (let bit = 0; bit < bits; bit++) if (((words[bit >> 5] ?? 0) >>> (bit & 31)) & 1) expected.add(bit);
      const seen = new Set<number>();
      let end = -1;
      scanBits(Uint32Array.from(words), bits, (first, run) => {
        expect(first).toBeGreaterThan(end);
        expect(run).toBeGreaterThan(0);
        for (let bit = first; bit < first + run; bit++) seen.add(bit);
        end = first + run;
      });
      expect(seen).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});
