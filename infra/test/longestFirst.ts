/**
 * The order of test files where nothing is known of earlier runs, as in CI: those known to take long come first, so that no worker is
 * left with the longest one at the end. The rest goes by size, as Vitest does it.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** @param longest ends of paths, longest first */
export function longestFirst(longest: readonly string[]): typeof BaseSequencer {
  const place = ({ moduleId }: TestSpecification) => {
    const found = longest.findIndex((end) => moduleId.endsWith(end));
    return found < 0 ? longest.length : found;
  };
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      const sorted = await super.sort(files);
      return sorted.toSorted((a, b) => place(a) - place(b));
    }
  };
}
