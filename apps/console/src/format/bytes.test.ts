import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatShare } from './bytes.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [1023, '1.00 KiB'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10 * 1024 ** 2, '10.0 MiB'],
    [999.4 * 1024 ** 2, '999 MiB'],
    [999.6 * 1024 ** 2, '0.98 GiB'],
    [8 * 1024 ** 3, '8.00 GiB'],
    [256 * 1024 ** 4, '256 TiB'],
  ])('prints %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('never needs more than three digits and never lies by more than one per cent', () => {
    const factor: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4, PiB: 1024 ** 5 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 52 }), (bytes) => {
        const [number = '', unit = ''] = formatBytes(bytes).split(' ');
        expect(number.replace('.', '').length).toBeLessThanOrEqual(3);
        expect(Math.abs(Number(number) * (factor[unit] ?? 0) - bytes)).toBeLessThanOrEqual(Math.max(0.5, bytes * 0.01));
      }),
    );
  });

  it('shows a dash for what is no size', () => {
    expect(formatBytes(Number.NaN)).toBe('–');
    expect(formatBytes(-1)).toBe('–');
  });
});

describe('formatShare', () => {
  it('says 100 % only at the end and never 0 % once begun', () => {
    expect(formatShare(9_999, 10_000)).toBe('99 %');
    expect(formatShare(10_000, 10_000)).toBe('100 %');
    expect(formatShare(1, 10_000)).toBe('< 1 %');
    expect(formatShare(0, 10_000)).toBe('0 %');
    expect(formatShare(1, 0)).toBe('–');
  });
});

it('counts with the right noun', () => {
  expect(formatCount(1, 'machine')).toBe('1 machine');
  expect(formatCount(1200, 'machine')).toBe('1,200 machines');
});
