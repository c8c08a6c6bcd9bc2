import { expect, test } from 'vitest';
import { createProcessLog } from './processLog.ts';

test('secrets and the values of queries stay out of the log', () => {
  const written: string[] = [];
  const log = createProcessLog({ write: (line: string) => void written.push(line) });
  const failed = Object.assign(new Error('Failed query: insert … params: s3cret-value'), {
    params: ['s3cret-value'],
    cause: new Error('duplicate key'),
  });
  log.error({ err: failed, machineId: 'm1' }, 'not stored');
  log.info(
    { token: 's3cret-value', user: { password: 's3cret-value' }, call: { headers: { authorization: 's3cret-value' } } },
    'called',
  );
  log.error({ err: new Error('plain') }, 'other');
  const text = written.join('');
  expect(text).not.toContain('s3cret-value');
  expect(text).toContain('duplicate key');
  expect(text).toContain('"machineId":"m1"');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines[2].err).toMatchObject({ type: 'Error', message: 'plain' });
});
