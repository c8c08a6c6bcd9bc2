import { describe, expect, it } from 'vitest';
import { failureByCode, failureOf, isSignedOut } from './failure.ts';

const refused = (code: string, failure: string) =>
  Object.assign(new Error('x'), {
    data: { code, failure: { code: failure, what: 'w', data: 'd', todo: 't', detail: '' } },
  });

describe('failureOf', () => {
  it('takes the four parts the server sent', () => {
    expect(failureOf(refused('BAD_REQUEST', 'PLAN_EXPIRED'))).toEqual({
      code: 'PLAN_EXPIRED',
      what: 'w',
      data: 'd',
      todo: 't',
      detail: '',
    });
  });
  it('names an unreachable server as such', () => {
    expect(failureOf(new TypeError('Failed to fetch')).code).toBe('SERVER_UNREACHABLE');
  });
  it('calls everything else internal and keeps its text as the detail', () => {
    expect(failureOf(new Error('boom'))).toMatchObject({ code: 'INTERNAL', detail: 'boom' });
    expect(failureOf(null).code).toBe('INTERNAL');
  });
  it('gives a code of a newer server texts all the same', () => {
    expect(failureByCode('NOT_INVENTED_YET').what).not.toBe('');
  });
});

it('tells an ended session from a wrong password', () => {
  expect(isSignedOut(refused('UNAUTHORIZED', 'NOT_ALLOWED'))).toBe(true);
  expect(isSignedOut(refused('UNAUTHORIZED', 'SIGN_IN_FAILED'))).toBe(false);
  expect(isSignedOut(refused('FORBIDDEN', 'NOT_ALLOWED'))).toBe(false);
});
