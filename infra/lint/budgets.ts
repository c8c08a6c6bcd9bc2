/** Keeps sources readable: a file over its line budget fails. The formatter and function budgets are the linter's. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MAX_LINES = 400;
const exempt = /(\.test\.tsx?$|\/testing\/|^e2e\/|\/migrations\/|\.gen\.)/;

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx', '*.mjs'], {
  encoding: 'utf8',
})
  .trim()
  .split('\n');
const over = files
  .filter((file) => !exempt.test(file))
  .map((file) => ({ file, lines: linesOf(file) }))
  .filter(({ lines }) => lines > MAX_LINES);

for (const { file, lines } of over)
  process.stderr.write(`${file} has ${lines} lines; the budget is ${MAX_LINES}. Find the missing idea, do not slice.\n`);
process.stdout.write(`${files.length} files looked at, ${over.length} over budget\n`);
process.exit(over.length === 0 ? 0 : 1);

function linesOf(file: string): number {
  try {
    return readFileSync(file, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}
