/**
 * The plain lengths of many chunks, for checking maps against: open addressing, 8 bytes a slot at a load of 0.9. A slot holds 40 bits of
 * the id and 24 bits of length; the place comes from 32 more bits. A chunk that is not there is taken for one that is with a chance of
 * about 2^-34: at most one lost chunk in ten thousand million goes unnoticed. Sorted segments fill it from one end to the other.
 */
const maxLoad = 0.9;
const bytesPerSlot = 8;
/** A longer one counts as this long; no writer makes any. */
const maxLength = 0xff_ffff;

/** How many chunks fit into so many bytes. */
export function chunkLengthsIn(bytes: number): number {
  return Math.floor((bytes / bytesPerSlot) * maxLoad);
}

export class ChunkLengths {
  private readonly words: Uint32Array;
  private readonly slotCount: number;
  private readonly limit: number;
  private used = 0;

  /** @param chunks upper bound of what will be added at one time. */
  constructor(chunks: number) {
    this.limit = chunks;
    this.slotCount = Math.max(64, Math.ceil(chunks / maxLoad));
    this.words = new Uint32Array(this.slotCount * 2);
  }

  clear(): void {
    this.words.fill(0);
    this.used = 0;
  }

  /** Index of the slot's first word: the one of this id, or the free one where it belongs. */
  private find(id: Buffer, at: number): number {
    const first = id.readUInt32LE(at + 4) || 1;
    const tag = id[at + 8] ?? 0;
    const { words, slotCount } = this;
    let slot = Math.floor((id.readUInt32BE(at) / 2 ** 32) * slotCount);
    for (;;) {
      const seen = words[slot * 2];
      if (seen === 0 || (seen === first && (words[slot * 2 + 1] ?? 0) >>> 24 === tag)) return slot * 2;
      slot += 1;
      if (slot === slotCount) slot = 0;
    }
  }

  /** Notes the chunk whose id starts at `at`; the longest of several lengths stays. False when there is no room. */
  add(id: Buffer, at: number, plainBytes: number): boolean {
    const base = this.find(id, at);
    const { words } = this;
    if (words[base] === 0) {
      if (this.used >= this.limit) return false;
      this.used += 1;
      words[base] = id.readUInt32LE(at + 4) || 1;
      words[base + 1] = (id[at + 8] ?? 0) << 24;
    }
    const word = words[base + 1] ?? 0;
    const length = Math.min(plainBytes, maxLength);
    if ((word & maxLength) < length) words[base + 1] = ((word & ~maxLength) | length) >>> 0;
    return true;
  }

  /** Whether the chunk is there with at least so many bytes. */
  holds(id: Buffer, neededBytes: number): boolean {
    const base = this.find(id, 0);
    if (this.words[base] === 0) return false;
    return ((this.words[base + 1] ?? 0) & maxLength) >= Math.min(neededBytes, maxLength);
  }
}
