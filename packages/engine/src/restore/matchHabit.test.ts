import { expect, test } from 'vitest';
import { MatchHabit } from './matchHabit.ts';

function looks(matches: (piece: number) => boolean, pieces: number): number {
  const habit = new MatchHabit();
  let looked = 0;
  for (let piece = 0; piece < pieces; piece++) {
    if (!habit.worthLooking()) continue;
    looked++;
    habit.learn(matches(piece));
  }
  return looked;
}

test('a target that matches is always looked at, an unrelated one rarely', () => {
  expect(looks(() => true, 1000)).toBe(1000);
  expect(looks(() => false, 1600)).toBeLessThan(130);
});

test('looking resumes when matches come back', () => {
  expect(looks((piece) => piece >= 1000, 3000)).toBeGreaterThan(1900);
});
