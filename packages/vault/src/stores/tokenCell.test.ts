import { expect, test } from 'vitest';
import { currentToken, makeTokenCell, renewToken } from './tokenCell.ts';

test('a cell is empty until a token is put in, and gives the newest', () => {
  const cell = makeTokenCell();
  expect(currentToken(cell)).toBeNull();
  renewToken(cell, 'first-token-that-is-long');
  expect(currentToken(cell)).toBe('first-token-that-is-long');
  renewToken(cell, 'short');
  expect(currentToken(cell)).toBe('short');
});

test('a token that does not fit is refused and the one before stays', () => {
  const cell = makeTokenCell();
  renewToken(cell, 'good');
  expect(() => renewToken(cell, 'x'.repeat(4097))).toThrow(/too long/);
  expect(currentToken(cell)).toBe('good');
});
