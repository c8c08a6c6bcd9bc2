/**
 * Ids of one vault → ids of another, for the chunks met lately: 64 bytes a slot, the place given by the id, the newer one stays.
 * 32 MiB whatever the size of the disk; what was pushed out is read once more, nothing else.
 */
const idBytes = 32;
const slotBytes = 2 * idBytes;
const slots = 1 << 19;

export class Translation {
  private readonly table = Buffer.alloc(slots * slotBytes);

  /** Ids are keyed hashes: their first bytes are as good as random. An id of only zeros is never met. */
  private at(id: Buffer): number {
    return (id.readUInt32LE(0) % slots) * slotBytes;
  }

  get(id: Buffer): Buffer | null {
    const at = this.at(id);
    if (this.table.compare(id, 0, idBytes, at, at + idBytes) !== 0) return null;
    return Buffer.from(this.table.subarray(at + idBytes, at + slotBytes));
  }

  set(id: Buffer, other: Uint8Array): void {
    const at = this.at(id);
    this.table.set(id, at);
    this.table.set(other, at + idBytes);
  }
}
