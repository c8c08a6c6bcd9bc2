/**
 * Which segments may list a chunk: 5 bytes a slot at a load of 0.9, so 40 million chunks take 222 MB. A slot holds the segment's
 * number and 22 more bits of the id; it is a hint only, the sorted segment itself has the last word. With 14 bits wrong hints made
 * a reader load a segment for every few hundred chunks; with 22 it is one in a hundred thousand.
 */
const segmentBits = 18;
const maxSegments = (1 << segmentBits) - 1;
const maxLoad = 0.9;

export class SegmentFinder {
  private readonly slots: Uint32Array;
  private readonly tags: Uint8Array;

  /** @param entries upper bound of what will be added. */
  constructor(entries: number) {
    this.slots = new Uint32Array(Math.max(64, Math.ceil(entries / maxLoad)));
    this.tags = new Uint8Array(this.slots.length);
  }

  /** Grows with the id as segments are sorted: a whole segment is noted in one sweep over the table. */
  private home(id: Buffer, at: number): number {
    return Math.floor((id.readUInt32BE(at) / 2 ** 32) * this.slots.length);
  }

  /** Notes that segment number `segment` lists the id that starts at `at`. */
  add(id: Buffer, at: number, segment: number): void {
    if (segment >= maxSegments) throw new RangeError('the vault has more index segments than this program can hold');
    const value = word(id, at, segment);
    const tag = id[at + 6];
    const { slots, tags } = this;
    for (let slot = this.home(id, at); ; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      const seen = slots[slot];
      if (seen === value && tags[slot] === tag) return;
      if (seen === 0) {
        slots[slot] = value;
        tags[slot] = tag ?? 0;
        return;
      }
    }
  }

  /** Numbers of the segments that may list the id. */
  find(id: Buffer): number[] {
    const wanted = word(id, 0, 0) >>> segmentBits;
    const { slots, tags } = this;
    const found: number[] = [];
    for (let slot = this.home(id, 0); ; slot = slot + 1 === slots.length ? 0 : slot + 1) {
      const seen = slots[slot] ?? 0;
      if (seen === 0) return found;
      if (seen >>> segmentBits === wanted && tags[slot] === id[6]) found.push((seen & maxSegments) - 1);
    }
  }
}

/** Never zero, since segments count from one here. */
function word(id: Buffer, at: number, segment: number): number {
  return (((id.readUInt16LE(at + 4) & 0x3fff) << segmentBits) | (segment + 1)) >>> 0;
}
