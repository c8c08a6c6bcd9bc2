/** What is new about a run: a branch never taken, or taken a number of times (in powers of two) never seen. */
import { COUNTERS, counters } from './runtime.ts';

/** One bit for each class of counts. */
const classes = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count <= 3) return count === 0 ? 0 : 1 << (count - 1);
  const limits = [8, 16, 32, 128, 256];
  return 1 << (3 + limits.findIndex((limit) => count < limit));
});

const words = new BigUint64Array(counters.buffer);

export class Novelty {
  private readonly seen = new Uint8Array(COUNTERS);

  /** Looks at the counters of the run just made, remembers them, and says how many of its branches and counts were new. */
  take(): { branches: number; counts: number } {
    const found = { branches: 0, counts: 0 };
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0n) continue;
      for (let at = word * 8; at < word * 8 + 8; at++) {
        const bit = classes[counters[at] ?? 0] ?? 0;
        const known = this.seen[at] ?? 0;
        if ((bit & ~known) === 0) continue;
        if (known === 0) found.branches += 1;
        else found.counts += 1;
        this.seen[at] = known | bit;
      }
    }
    return found;
  }

  reached(): number[] {
    return [...this.seen.entries()].filter(([, classes]) => classes !== 0).map(([at]) => at);
  }
}
