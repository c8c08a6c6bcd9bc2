/**
 * Which chunks the vault has, shared by all threads of a run without messages: open addressing over a SharedArrayBuffer,
 * 16 bytes a slot. A slot is claimed by compare-and-swap on its first word and is complete when its last word is not zero,
 * so the first and last word of a key are never stored as zero. 126 bits of a keyed hash: a false "known" does not happen.
 *
 * A claimed chunk may not be durable yet: if any thread of a run fails, the run must not commit.
 */
export interface KnownChunks {
  /** True for exactly one caller per id: that one must store the chunk. */
  claim(id: Buffer): boolean;
  /** Whether someone claimed it. */
  has(id: Buffer): boolean;
}

const wordsPerSlot = 4;

/** Slots for `chunks` ids at a load of at most 0.7. */
export function knownSlotsFor(chunks: number): number {
  let slots = 1024;
  while (slots * 0.7 < chunks) slots *= 2;
  return slots;
}

export function allocateKnownChunks(slotCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slotCount * wordsPerSlot * 4);
}

/** @throws RangeError when the table is full: `expectedChunks` of the run was too small. */
export function knownChunks(memory: SharedArrayBuffer, slotCount: number): KnownChunks {
  const words = new Int32Array(memory);
  const mask = slotCount - 1;
  /** The slot that holds the id or the first free one, taken over for it when `take` is set. */
  const find = (id: Buffer, take: boolean): 'there' | 'absent' => {
    const first = id.readInt32LE(0) || 1;
    const second = id.readInt32LE(4);
    const third = id.readInt32LE(8);
    const last = id.readInt32LE(12) || 1;
    let slot = (second ^ third) & mask;
    for (let probe = 0; probe < slotCount; probe += 1, slot = (slot + 1) & mask) {
      const base = slot * wordsPerSlot;
      const seen = take ? Atomics.compareExchange(words, base, 0, first) : Atomics.load(words, base);
      if (seen === 0) {
        if (!take) return 'absent';
        words[base + 1] = second;
        words[base + 2] = third;
        Atomics.store(words, base + 3, last);
        return 'absent';
      }
      if (seen !== first) continue;
      while (Atomics.load(words, base + 3) === 0);
      if (words[base + 1] === second && words[base + 2] === third && words[base + 3] === last) return 'there';
    }
    throw new RangeError('the run met more chunks than it announced in expectedChunks');
  };
  return {
    claim: (id) => find(id, true) === 'absent',
    has: (id) => find(id, false) === 'there',
  };
}
