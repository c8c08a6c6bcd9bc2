/** Bits of a block bitmap, little-endian within 32-bit words. The only loops of this package that see every bit of a volume. */

/**
 * Calls `emit(start, end)` for each run of set bits in `words` below `bitCount`. Whole words of zeros or ones cost one comparison.
 * @returns how many bits are set.
 */
export function forEachRun(words: Uint32Array, bitCount: number, emit: (start: number, end: number) => void): number {
  let set = 0;
  let start = -1;
  const wordCount = (bitCount + 31) >>> 5;
  for (let index = 0; index < wordCount; index++) {
    let word = words[index] ?? 0;
    if (start < 0 ? word === 0 : word === 0xffffffff) continue;
    const base = index << 5;
    // Each turn finds the next change: inverting the word after each makes "next zero" the same question as "next one".
    let inverted = start >= 0;
    if (inverted) word = ~word;
    while (word !== 0) {
      const bit = 31 - Math.clz32(word & -word);
      if (inverted) {
        const end = Math.min(base + bit, bitCount);
        if (end > start) {
          emit(start, end);
          set += end - start;
        }
        start = -1;
      } else {
        start = base + bit;
      }
      inverted = !inverted;
      word = bit === 31 ? 0 : remainder(words[index] ?? 0, bit, inverted);
    }
  }
  if (start >= 0 && start < bitCount) {
    emit(start, bitCount);
    set += bitCount - start;
  }
  return set;
}

/** Bits above `bit`; inverted when looking for the end of a run. */
function remainder(word: number, bit: number, inverted: boolean): number {
  return (inverted ? ~word : word) & (-2 << bit);
}

/** Sets `count` bits from `first`. */
export function setBits(words: Uint32Array, first: number, count: number): void {
  for (let bit = first; bit < first + count; bit++) words[bit >>> 5] = (words[bit >>> 5] ?? 0) | (1 << (bit & 31));
}
