/**
 * What is known about the writes to one disk, from two points of view at once: since the running backup asked last, and since the
 * moment (the freeze) the newest kept restore point stands for. Pure: the trace feeds it, it never guesses. After a loss both
 * views say "not known" until a new beginning: the next question of the backup, the next freeze that is kept.
 */
import type { Extent } from '@diskfleet/disk';
import { BlockSet } from './blockSet.ts';

export class ChangeLog {
  readonly #sinceAsked: BlockSet;
  /** Since the last freeze, for a point that may come to be. */
  #sinceCut: BlockSet;
  #sinceKept: BlockSet;
  #lost = false;
  #hasCut = false;
  #keptPointId: string | null = null;

  constructor(sizeBytes: number) {
    this.#sinceAsked = new BlockSet(sizeBytes);
    this.#sinceCut = new BlockSet(sizeBytes);
    this.#sinceKept = new BlockSet(sizeBytes);
  }

  add(range: Extent): void {
    this.#sinceAsked.add(range);
    if (this.#hasCut) this.#sinceCut.add(range);
    if (this.#keptPointId !== null) this.#sinceKept.add(range);
  }

  /** Some writes are not known: nothing that was to be learnt from this log is. */
  lose(): void {
    this.#lost = true;
    this.#hasCut = false;
    this.#keptPointId = null;
  }

  /** A backup begins: what it has not read yet need not be told. */
  start(): void {
    this.#lost = false;
    this.#hasCut = false;
    this.#sinceAsked.clear();
  }

  /** Written since `start` or the last `take`; `null` once after a loss, and counting begins anew. */
  take(): Extent[] | null {
    const changes = this.#lost ? null : this.#sinceAsked.extents();
    this.#lost = false;
    this.#sinceAsked.clear();
    return changes;
  }

  /** The moment a point may stand for: all writers of the disk's volumes stand still, and every write before was added. */
  cut(): void {
    this.#hasCut = true;
    this.#sinceCut.clear();
  }

  /** The point of the last cut exists. Without an unbroken record since that cut, no point is kept. */
  keep(pointId: string): void {
    this.#keptPointId = this.#hasCut ? pointId : null;
    [this.#sinceKept, this.#sinceCut] = [this.#sinceCut, this.#sinceKept];
    this.#hasCut = false;
  }

  /** Written since the cut of that point, or `null` when this log does not go back to it in one piece. */
  since(pointId: string): Extent[] | null {
    return this.#keptPointId === pointId ? this.#sinceKept.extents() : null;
  }
}
