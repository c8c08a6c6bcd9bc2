/** The inputs worth going on from. */
import type { Input } from './input.ts';
import { packField, type Subject } from './mutate.ts';
import type { Random } from './random.ts';
import type { Trace } from './trace.ts';

const MAX_FIELDS = 3000;
const MAX_READS = 400;

interface Kept extends Subject {
  readonly mismatches: number;
  chosen: number;
}

export class Corpus {
  private readonly kept: Kept[] = [];
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  get size(): number {
    return this.kept.length;
  }

  add(input: Input, trace: Trace, mismatches: number): void {
    const fields = new Set<number>();
    for (const field of trace.fields) if (field.at >= 0 && fields.size < MAX_FIELDS) fields.add(packField(field));
    const reads = new Map(trace.reads.map((read) => [`${read.at} ${read.length}`, read]));
    this.kept.push({
      input,
      mismatches,
      fields: Float64Array.from(fields),
      reads: [...reads.values()].slice(0, MAX_READS),
      chosen: 0,
    });
  }

  any(): Kept {
    const kept = this.random.pick(this.kept);
    if (!kept) throw new Error('there are no seeds');
    return kept;
  }

  /** Of a few, the one that had the fewest turns: what is new comes soon, and what is old comes again. */
  next(): Kept {
    const candidates = Array.from({ length: 3 }, () => this.any());
    candidates.sort((left, right) => left.chosen - right.chosen);
    const chosen = candidates[0] ?? this.any();
    chosen.chosen += 1;
    return chosen;
  }
}
