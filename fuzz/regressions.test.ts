/**
 * Every input that once did what no input may, and a healthy seed of each parser: judged as the fuzzer judges what it finds, in a
 * process of its own. A finding becomes one by moving its file from `dist/findings/<target>` to `regressions/<target>`, under a name
 * that says what it did.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeInput } from './engine/input.ts';
import { loadSeeds } from './engine/seedImage.ts';
import { regressionFolder, seedFolder } from './run/folders.ts';
import { judge } from './run/judge.ts';
import { targetNames } from './targets/names.ts';

describe.each(targetNames)('$name', ({ name: target }) => {
  const folder = regressionFolder(target);
  const files = existsSync(folder) ? readdirSync(folder) : [];

  test('a healthy seed', { timeout: 60_000 }, async () => {
    const [seed] = loadSeeds(seedFolder(target)).values();
    if (!seed) throw new Error(`${target} has no seeds`);
    const verdict = await judge(target, encodeInput({ seed: seed.name, sizeBytes: seed.sizeBytes, patches: [] }));
    expect(verdict.problem).toBeNull();
  });

  test.each(files)('%s', { timeout: 60_000 }, async (file) => {
    expect((await judge(target, readFileSync(join(folder, file), 'utf8'))).problem).toBeNull();
  });
});
