/** Looks tried before the habit is formed. */
const FIRST_LOOKS = 16;
/** Once the target proves to be different, only every so many pieces are looked at. */
const RARELY = 16;

/**
 * Reading the target before writing pays when it already holds most of the bytes (rolling back) and costs when it does not (an
 * unrelated disk). Looks at first, then only as often as it has paid lately.
 */
export class MatchHabit {
  #looks = 0;
  #recentMatches = 0;
  #skipped = 0;

  worthLooking(): boolean {
    if (this.#looks < FIRST_LOOKS || this.#recentMatches > 0) return true;
    this.#skipped = (this.#skipped + 1) % RARELY;
    return this.#skipped === 0;
  }

  /** @returns `matched` */
  learn(matched: boolean): boolean {
    this.#looks++;
    this.#recentMatches = matched ? FIRST_LOOKS : Math.max(0, this.#recentMatches - 1);
    return matched;
  }
}
