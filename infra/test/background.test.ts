import { expect, test } from 'vitest';
import { startBackground } from './background.ts';

const node = (code: string) => startBackground(process.execPath, ['-e', code], process.cwd());

test('a background command yields to others and says how it ended', async () => {
  expect(await node('process.exit(require("os").getPriority() > 0 ? 0 : 1)').finish()).toMatchObject({ passed: true });
  expect(await node('process.exit(3)').finish()).toMatchObject({ passed: false });
  expect(await startBackground('/no/such/command', [], '/').finish()).toMatchObject({ passed: false });
});
