import { describe, expect, it } from 'vitest';
import { formatAbsolute, formatDuration, formatEta, formatRelative } from './time.ts';

const now = Date.parse('2026-11-22T12:00:00Z');
const before = (seconds: number) => new Date(now - seconds * 1000).toISOString();

describe('formatRelative', () => {
  it.each([
    [3, 'just now'],
    [45, '45 seconds ago'],
    [120, '2 minutes ago'],
    [3600, '60 minutes ago'],
    [7200, '2 hours ago'],
    [2 * 86_400, '2 days ago'],
    [60 * 86_400, '2 months ago'],
    [800 * 86_400, '2 years ago'],
    [-7200, 'in 2 hours'],
  ])('says what lies %d seconds back as "%s"', (seconds, text) => {
    expect(formatRelative(before(seconds), now)).toBe(text);
  });

  it('shows a dash for what is no time', () => {
    expect(formatRelative('nonsense', now)).toBe('–');
    expect(formatAbsolute('nonsense')).toBe('–');
  });
});

it('prints absolute times in the zone asked for', () => {
  expect(formatAbsolute('2026-11-22T12:05:00Z', 'UTC')).toBe('2026-11-22 12:05');
  expect(formatAbsolute('2026-11-22T00:05:00Z', 'America/New_York')).toBe('2026-11-21 19:05');
});

it('prints durations with at most two units', () => {
  expect(formatDuration(0.4)).toBe('0 s');
  expect(formatDuration(75)).toBe('1 min 15 s');
  expect(formatDuration(3_725)).toBe('1 h 2 min');
  expect(formatDuration(90_000)).toBe('1 d 1 h');
});

describe('formatEta', () => {
  it('is a range while it is wide, one number when narrow, and says when it does not know', () => {
    expect(formatEta(null)).toBe('estimating…');
    expect(formatEta({ low: 2, high: 6 })).toBe('a few seconds left');
    expect(formatEta({ low: 118, high: 124 })).toBe('about 2 min left');
    expect(formatEta({ low: 60, high: 300 })).toBe('1 min – 5 min left');
    expect(formatEta({ low: 3600, high: 5400 })).toBe('1 h – 1.5 h left');
  });
});
