import type { BlockDevice } from '@diskfleet/disk';

/** A parser of bytes that are not ours, and all that is done with it. */
export interface Target {
  /**
   * Tries everything the parser offers, goes on behind errors it may throw (`isExpected`), throws `WrongResult` when what it says
   * cannot be, and lets all else through. Bounded: at most some hundred entries and some MiB of content for one input.
   */
  run(image: Subject): Promise<void>;
}

export interface Subject {
  readonly sizeBytes: number;
  device(): BlockDevice;
  bytes(): Buffer;
}

/** The parser returned something that its contract rules out. */
export class WrongResult extends Error {}

export function insist(condition: boolean, what: string): void {
  if (!condition) throw new WrongResult(what);
}
