import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const fuzzFolder = fileURLToPath(new URL('..', import.meta.url));

export const seedFolder = (target: string) => join(fuzzFolder, 'seeds', target);
/** Inputs that reach what the seeds alone do not: one a line. */
export const corpusFile = (target: string) => join(fuzzFolder, 'corpus', `${target}.jsonl.zst`);
/** What a run found; to be moved to `regressions/` with the fix. Not in the repository. */
export const findingsFolder = (target: string) => join(fuzzFolder, 'dist', 'findings', target);
export const regressionFolder = (target: string) => join(fuzzFolder, 'regressions', target);
