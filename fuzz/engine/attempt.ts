/** Runs a target on one input and says what was wrong with that, if anything. */
import { setImmediate } from 'node:timers/promises';
import { Image } from './image.ts';
import type { Input } from './input.ts';
import { MAX_CPU_MS } from './limits.ts';
import type { SeedImage } from './seedImage.ts';
import type { Target } from './target.ts';

export interface Attempt {
  /** Null: nothing was wrong. */
  readonly problem: Problem | null;
  readonly cpuMs: number;
}

export interface Problem {
  readonly kind: 'exception' | 'rejection' | 'slow' | 'memory' | 'crash';
  readonly text: string;
}

let rejection: unknown = null;

/** Rejections nobody waits for are part of the next verdict. To be called once. */
export function watchRejections(): void {
  process.on('unhandledRejection', (reason) => {
    rejection = reason ?? new Error('rejected with nothing');
  });
}

export function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export async function attempt(target: Target, image: Image): Promise<Attempt> {
  rejection = null;
  let problem: Problem | null = null;
  const before = process.cpuUsage();
  try {
    await target.run(image);
  } catch (error) {
    problem = { kind: 'exception', text: describeError(error) };
  }
  await setImmediate();
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1000;
  if (problem === null && rejection !== null) problem = { kind: 'rejection', text: describeError(rejection) };
  if (problem === null && cpuMs > MAX_CPU_MS) problem = { kind: 'slow', text: `${Math.round(cpuMs)} ms of CPU` };
  return { problem, cpuMs };
}

export function imageOf(seeds: ReadonlyMap<string, SeedImage>, input: Input): Image {
  const seed = seeds.get(input.seed);
  if (!seed) throw new Error(`there is no seed ${input.seed}`);
  return new Image(seed, input);
}

/** Two problems with the same one are taken for the same bug: the kind, and where an error was thrown. */
export function signature({ kind, text }: Problem): string {
  const frames = text.split('\n').filter((line) => /^\s+at /.test(line));
  const places = frames.slice(0, 2).map((line) => line.replace(/^\s+at (async )?/, '').replace(/[:)].*$/, ''));
  const first = text.split('\n')[0]?.replace(/\d+/g, '#').slice(0, 120);
  return kind === 'exception' || kind === 'rejection' ? `${kind}: ${first} in ${places.join(' < ')}` : kind;
}
