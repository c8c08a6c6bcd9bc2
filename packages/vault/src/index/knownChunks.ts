/**
 * Which chunks the vault has, shared by all threads of a run without messages: open addressing over a SharedArrayBuffer, 8 bytes
 * a slot at a load of up to 0.95, so 40 million chunks take 337 MB and a claim costs some neighbouring cache lines.
 * The place comes from bytes 0–3 of the id, most significant first, so that a sorted segment fills it from one end to the other instead
 * of all over memory (four times as fast at 40 million); the slot holds 62 bits of bytes 4–11: with 40 million chunks known, meeting as many new
 * ones, the chance that any of them is wrongly called known is below 2^-29, and ids are keyed, so nobody outside can aim.
 * A slot is claimed by compare-and-swap on its first word, which is never stored as zero, and is complete when bit 0 of its second
 * word is set. Bit 1 is a mark for whoever has the table to himself (the sweeper notes there what is in use).
 *
 * A claimed chunk may not be durable yet: if any thread of a run fails, the run must not commit.
 */
export interface KnownChunks {
  /** True for exactly one caller per id: that one must store the chunk. @param at where in the buffer the id begins */
  claim(id: Buffer, at?: number): boolean;
  /** Whether someone claimed it. */
  has(id: Buffer): boolean;
  /** Sets the mark of an id; false when the id is not there. */
  mark(id: Buffer): boolean;
  isMarked(id: Buffer): boolean;
}

const maxLoad = 0.95;
const complete = 1;
const marked = 2;

/** Slots for `chunks` ids. */
export function knownSlotsFor(chunks: number): number {
  return Math.max(1024, Math.ceil(chunks / maxLoad));
}

export function allocateKnownChunks(slotCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(slotCount * 8);
}

/** @throws RangeError from `claim` when the table is full: `expectedChunks` of the run was too small. */
export function knownChunks(memory: SharedArrayBuffer, slotCount: number): KnownChunks {
  const words = new Int32Array(memory);
  /** Index of the slot's first word; below zero when the id is absent, then `take` has put it there. */
  const find = (id: Buffer, take: boolean, at = 0): number => {
    const first = id.readInt32LE(at + 4) || 1;
    const second = (id.readInt32LE(at + 8) & ~marked) | complete;
    let slot = Math.floor((id.readUInt32BE(at) / 2 ** 32) * slotCount);
    for (let probe = 0; probe < slotCount; probe += 1) {
      const base = slot * 2;
      let seen = Atomics.load(words, base);
      if (seen === 0) {
        if (!take) return -1;
        seen = Atomics.compareExchange(words, base, 0, first);
        if (seen === 0) {
          Atomics.store(words, base + 1, second);
          return -1;
        }
      }
      if (seen === first) {
        let rest = Atomics.load(words, base + 1);
        while (rest === 0) rest = Atomics.load(words, base + 1);
        if ((rest & ~marked) === second) return base;
      }
      slot += 1;
      if (slot === slotCount) slot = 0;
    }
    if (!take) return -1;
    throw new RangeError('the run met more chunks than it announced in expectedChunks');
  };
  return {
    claim: (id, at) => find(id, true, at) < 0,
    has: (id) => find(id, false) >= 0,
    mark(id) {
      const base = find(id, false);
      if (base >= 0) Atomics.or(words, base + 1, marked);
      return base >= 0;
    },
    isMarked(id) {
      const base = find(id, false);
      return base >= 0 && (Atomics.load(words, base + 1) & marked) !== 0;
    },
  };
}
