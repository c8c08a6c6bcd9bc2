import { expect, it } from 'vitest';
import { calendarWeeks } from './calendarWeeks.ts';

it('begins weeks on Monday and ends today', () => {
  const weeks = calendarWeeks('2026-11-25', 3); // a Wednesday
  expect(weeks).toHaveLength(3);
  expect(weeks[0]?.[0]).toBe('2026-11-09');
  expect(weeks.map((week) => week.length)).toEqual([7, 7, 3]);
  expect(weeks.at(-1)?.at(-1)).toBe('2026-11-25');
});

it('ends with a full week on a Sunday', () => {
  expect(calendarWeeks('2026-11-22', 2).at(-1)).toHaveLength(7);
});
