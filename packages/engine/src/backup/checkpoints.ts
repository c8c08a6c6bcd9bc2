import type { PointWriter, SealedPack } from '@diskfleet/vault';

/** A run that dies after this much or this long leaves its packs to the next one. */
const CHECKPOINT_BYTES = 2 * 1024 ** 3;
const CHECKPOINT_MS = 60_000;

/** Hands finished packs to the vault now and then, each pack once. */
export class Checkpoints {
  readonly #writer: PointWriter;
  #packs: SealedPack[] = [];
  #lastBytes = 0;
  #lastAt: number | null = null;

  constructor(writer: PointWriter) {
    this.#writer = writer;
  }

  add(packs: readonly SealedPack[]): void {
    this.#packs.push(...packs);
  }

  async maybe(now: Date, storedBytes: number): Promise<void> {
    this.#lastAt ??= now.getTime();
    const due = storedBytes - this.#lastBytes >= CHECKPOINT_BYTES || now.getTime() - this.#lastAt >= CHECKPOINT_MS;
    if (!due || this.#packs.length === 0) return;
    const packs = this.#packs;
    this.#packs = [];
    this.#lastBytes = storedBytes;
    this.#lastAt = now.getTime();
    await this.#writer.checkpoint(packs);
  }

  /** For a run that failed: the next one goes on from here. What made this one fail may well forbid that too. */
  async last(): Promise<void> {
    const packs = this.#packs;
    this.#packs = [];
    if (packs.length > 0) await this.#writer.checkpoint(packs).catch(() => {});
  }

  /** What no checkpoint has: handed out once, for the commit. */
  takeRest(): readonly SealedPack[] {
    const packs = this.#packs;
    this.#packs = [];
    return packs;
  }
}
