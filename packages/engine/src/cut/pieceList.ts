/** Pieces of the disk and where they go, as they are gathered: growing arrays of numbers, no object for a piece. */
export class PieceList {
  length = 0;
  /** First byte on the disk. */
  offset = new Float64Array(1024);
  bytes = new Uint32Array(1024);
  chunk = new Uint32Array(1024);
  /** Where it lies in its chunk. */
  at = new Uint32Array(1024);

  add(offset: number, bytes: number, { chunk, at }: { readonly chunk: number; readonly at: number }): void {
    if (this.length === this.offset.length) this.#grow();
    const index = this.length++;
    this.offset[index] = offset;
    this.bytes[index] = bytes;
    this.chunk[index] = chunk;
    this.at[index] = at;
  }

  end(index: number): number {
    return (this.offset[index] ?? 0) + (this.bytes[index] ?? 0);
  }

  #grow(): void {
    const room = this.length * 2;
    const offset = new Float64Array(room);
    offset.set(this.offset);
    this.offset = offset;
    this.bytes = grown(this.bytes, room);
    this.chunk = grown(this.chunk, room);
    this.at = grown(this.at, room);
  }
}

/** A longer copy. */
export function grown(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(length);
  longer.set(array);
  return longer;
}
