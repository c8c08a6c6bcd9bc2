import { expect, it } from 'vitest';
import { csvOf } from './csv.ts';

it('quotes what needs it and nothing else', () => {
  expect(csvOf([['a', 'b, c', 'say "hi"', 'two\nlines', 7, null]])).toBe('a,"b, c","say ""hi""","two\nlines",7,\r\n');
});

it('makes no formula of a name a PC gave itself', () => {
  expect(csvOf([['=HYPERLINK("x")', '+1', '-1', '@a', -5]])).toBe(`"'=HYPERLINK(""x"")",'+1,'-1,'@a,-5\r\n`);
});
