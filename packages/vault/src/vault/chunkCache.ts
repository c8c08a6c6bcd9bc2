/** Recently read chunks, bounded by bytes; readers that ask for the same chunk at once share one read. */
const limitBytes = 64 << 20;

export class ChunkCache {
  private readonly kept = new Map<string, Buffer>();
  private readonly loading = new Map<string, Promise<Buffer>>();
  private bytes = 0;

  /** @param load is called when the chunk is not here; its failure is not kept. */
  async get(id: Uint8Array, load: () => Promise<Buffer>): Promise<Buffer> {
    const key = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
    const found = this.kept.get(key);
    if (found !== undefined) {
      this.kept.delete(key);
      this.kept.set(key, found);
      return found;
    }
    const pending = this.loading.get(key);
    if (pending !== undefined) return pending;
    const made = load()
      .then((chunk) => {
        this.keep(key, chunk);
        return chunk;
      })
      .finally(() => this.loading.delete(key));
    this.loading.set(key, made);
    return made;
  }

  private keep(key: string, chunk: Buffer): void {
    this.kept.set(key, chunk);
    this.bytes += chunk.length;
    for (const [oldest, old] of this.kept) {
      if (this.bytes <= limitBytes || oldest === key) break;
      this.kept.delete(oldest);
      this.bytes -= old.length;
    }
  }
}
