/** A small generator of repeatable numbers (mulberry32). */
export class Dice {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  /** 0 ≤ result < `below`. */
  roll(below: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }
  /** True once in `times`; never for 0. */
  once(times: number): boolean {
    return times > 0 && this.roll(times) === 0;
  }
  pick<T>(from: readonly T[]): T | undefined {
    return from[this.roll(Math.max(1, from.length))];
  }
}
