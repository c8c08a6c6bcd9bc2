/**
 * The process that fuzzes one target: `node bundle.mjs <options as JSON>`. Before each input it writes that input to a file, so that
 * whoever watches knows what it hung or died on. Tells what it finds as lines of JSON on its standard output.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import type { BundleFacts } from '../build/bundle.ts';
import { attempt, imageOf, type Problem, signature, watchRejections } from './attempt.ts';
import { Corpus } from './corpus.ts';
import { decodeInput, encodeInput, type Input, mergedPatches } from './input.ts';
import { EXIT_LEAKED, MAX_RSS_BYTES } from './limits.ts';
import { mutate } from './mutate.ts';
import { Novelty } from './novelty.ts';
import { Random } from './random.ts';
import { installRepair, repaired, takeMismatches } from './repair.ts';
import { counters } from './runtime.ts';
import { loadSeeds, type SeedImage } from './seedImage.ts';
import type { Target } from './target.ts';
import { installTracing, traced } from './trace.ts';

export interface ChildOptions {
  /** Of the processor, so that a busy machine tries as much as an idle one. */
  readonly seconds: number;
  readonly seed: number;
  readonly seedFolder: string;
  /** Inputs kept from earlier runs, one a line, compressed; those that do not exist are ignored. */
  readonly corpora: readonly string[];
  readonly facts: string;
  /** Whether an input that takes a branch more often than any other is worth keeping. */
  readonly keepCounts: boolean;
  /** Where to note what is being tried. */
  readonly beat: string;
}

export type ChildMessage =
  | { readonly kind: 'found'; readonly problem: Problem; readonly input: string; readonly signature: string }
  | { readonly kind: 'kept'; readonly input: string }
  | ({ readonly kind: 'state' } & ChildState)
  | { readonly kind: 'done'; readonly reached: readonly number[] };

export interface ChildState {
  readonly executions: number;
  readonly inputs: number;
  readonly branches: number;
  readonly repaired: number;
  readonly slowestMs: number;
  readonly seconds: number;
}

const BATCH = 64;
const STATE_MS = 2000;
const MAX_REPAIRS = 5;
/** A process larger than this clears up before it goes on, and a single input that took this much is looked at again. */
const TIDY_RSS_BYTES = 200 << 20;
const SUSPICIOUS_BYTES = 96 << 20;

function tell(message: ChildMessage): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

class Fuzzer {
  private readonly target: Target;
  private readonly options: ChildOptions;
  private readonly seeds: ReadonlyMap<string, SeedImage>;
  private readonly facts: BundleFacts;
  private readonly random: Random;
  private readonly novelty = new Novelty();
  private readonly corpus: Corpus;
  private readonly beat: number;
  private readonly told = new Set<string>();
  private readonly cpuBefore = process.threadCpuUsage();
  private executions = 0;
  private notes = 0;
  private repairs = 0;
  private slowestMs = 0;
  private toldAt = 0;

  constructor(target: Target, options: ChildOptions) {
    this.target = target;
    this.options = options;
    this.seeds = loadSeeds(options.seedFolder);
    this.facts = JSON.parse(readFileSync(options.facts, 'utf8'));
    this.random = new Random(options.seed);
    this.corpus = new Corpus(this.random);
    this.beat = openSync(options.beat, 'w');
  }

  async run(): Promise<void> {
    for (const { name, sizeBytes } of this.seeds.values()) await this.learn({ seed: name, sizeBytes, patches: [] }, true);
    for (const input of this.earlier()) if (this.seeds.has(input.seed)) await this.learn(input, false);
    const material = {
      random: this.random,
      seeds: this.seeds,
      numbers: this.facts.numbers.map(BigInt),
      texts: this.facts.texts,
      other: () => this.corpus.any(),
    };
    while (this.elapsed() < this.options.seconds) {
      const subject = this.corpus.next();
      for (let left = BATCH; left > 0 && this.elapsed() < this.options.seconds; left--) {
        await this.tryInput(mutate(subject, material), subject.mismatches);
      }
      this.tellState();
    }
    this.tellState(true);
    tell({ kind: 'done', reached: this.novelty.reached() });
  }

  /** Of this thread alone: compiling and collecting go on beside it. */
  private elapsed(): number {
    const { user, system } = process.threadCpuUsage();
    return (user - this.cpuBefore.user + system - this.cpuBefore.system) / 1e6;
  }

  private earlier(): Input[] {
    return this.options.corpora.flatMap((path) => {
      try {
        return zstdDecompressSync(readFileSync(path)).toString('utf8').split('\n').filter(Boolean).map(decodeInput);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
        throw error;
      }
    });
  }

  private tellState(always = false): void {
    const now = performance.now();
    if (!always && now - this.toldAt < STATE_MS) return;
    this.toldAt = now;
    tell({
      kind: 'state',
      executions: this.executions,
      inputs: this.corpus.size,
      branches: this.novelty.reached().length,
      repaired: this.repairs,
      slowestMs: Math.round(this.slowestMs),
      seconds: this.elapsed(),
    });
  }

  /** One run; a problem is told once for each signature. */
  private async execute(input: Input): Promise<{ mismatches: number; sound: boolean }> {
    const text = encodeInput(input);
    this.executions += 1;
    this.note(text);
    const image = imageOf(this.seeds, input);
    counters.fill(0);
    takeMismatches();
    const rssBefore = process.memoryUsage.rss();
    const { problem, cpuMs } = await attempt(this.target, image);
    const mismatches = takeMismatches();
    this.slowestMs = Math.max(this.slowestMs, cpuMs);
    if (problem !== null) this.tellProblem(problem, text);
    const rss = process.memoryUsage.rss();
    const greedy = rss - rssBefore > SUSPICIOUS_BYTES || rss > MAX_RSS_BYTES;
    if (greedy) {
      this.tellProblem({ kind: 'memory', text: `${(rss - rssBefore) >> 20} MiB more, ${rss >> 20} MiB in all` }, text);
    }
    if (rss > TIDY_RSS_BYTES) this.tidy();
    return { mismatches, sound: problem === null && !greedy };
  }

  /** What stays large after that was leaked: the next process begins afresh. */
  private tidy(): void {
    globalThis.gc?.();
    if (process.memoryUsage.rss() > MAX_RSS_BYTES) process.exit(EXIT_LEAKED);
  }

  /** For whoever watches: what is about to be tried. */
  private note(input: string): void {
    this.notes += 1;
    const note = Buffer.from(`${this.notes}\n${input}\n`);
    writeSync(this.beat, note, 0, note.length, 0);
  }

  private tellProblem(problem: Problem, input: string): void {
    const name = signature(problem);
    if (this.told.has(name)) return;
    // Slowness and greed have one signature for many causes: all are told, up to a bound.
    if (problem.kind === 'exception' || problem.kind === 'rejection') this.told.add(name);
    tell({ kind: 'found', problem, input, signature: name });
  }

  private async tryInput(input: Input, healthyMismatches: number): Promise<void> {
    let current = input;
    let { mismatches, sound } = await this.execute(current);
    await this.keepIfNew(current, { mismatches, sound });
    if (mismatches <= healthyMismatches || this.random.once(10)) return;
    for (let round = 0; round < MAX_REPAIRS && mismatches > healthyMismatches; round++) {
      const begun = current;
      const image = imageOf(this.seeds, begun);
      let patches: Input['patches'] = [];
      await traced(image, async () => {
        patches = await repaired(image, {
          action: () => attempt(this.target, image),
          onRepair: (soFar) => this.note(encodeInput({ ...begun, patches: [...begun.patches, ...soFar] })),
        });
      });
      if (patches.length === 0) return;
      this.repairs += 1;
      current = { ...current, patches: [...current.patches, ...patches] };
      ({ mismatches, sound } = await this.execute(current));
      await this.keepIfNew(current, { mismatches, sound });
    }
  }

  /** What did harm is not gone on from: it would do it again. */
  private async keepIfNew(input: Input, { mismatches, sound }: { mismatches: number; sound: boolean }): Promise<void> {
    const news = this.novelty.take();
    if (!sound || !this.isNews(news)) return;
    await this.keep({ ...input, patches: mergedPatches(input.patches) }, mismatches);
  }

  private isNews({ branches, counts }: { branches: number; counts: number }): boolean {
    return branches > 0 || (counts > 0 && this.options.keepCounts);
  }

  private async learn(input: Input, always: boolean): Promise<void> {
    const { mismatches, sound } = await this.execute(input);
    const news = this.novelty.take();
    if (!sound) return;
    if (always || this.isNews(news)) await this.keep(input, mismatches);
  }

  private async keep(input: Input, mismatches: number): Promise<void> {
    const image = imageOf(this.seeds, input);
    const trace = await traced(image, async () => {
      await attempt(this.target, image);
    });
    takeMismatches();
    this.corpus.add(input, trace, mismatches);
    if (input.patches.length > 0 || input.sizeBytes !== image.seed.sizeBytes) tell({ kind: 'kept', input: encodeInput(input) });
  }
}

export async function main(target: Target): Promise<void> {
  installTracing();
  installRepair();
  watchRejections();
  // Enough to tell problems apart; readers throw a lot.
  Error.stackTraceLimit = 4;
  const options: ChildOptions = JSON.parse(process.argv[2] ?? '{}');
  await new Fuzzer(target, options).run();
}
