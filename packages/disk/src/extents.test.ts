import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Extent } from './blockDevice.ts';
import { intersectExtents, mergeExtents, subtractExtents, sumBytes } from './extents.ts';

const anyExtents = fc.array(fc.record({ offsetBytes: fc.nat(60), lengthBytes: fc.nat(12) }), { maxLength: 12 });

function bytesOf(extents: readonly Extent[]): Set<number> {
  return new Set(
    extents.flatMap(({ offsetBytes, lengthBytes }) => Array.from({ length: lengthBytes }, (_, i) => offsetBytes + i)),
  );
}

function expectNormal(extents: readonly Extent[]): void {
  let end = -1;
  for (const { offsetBytes, lengthBytes } of extents) {
    expect(lengthBytes).toBeGreaterThan(0);
    expect(offsetBytes).toBeGreaterThan(end);
    end = offsetBytes + lengthBytes;
  }
}

describe('extents are sets of bytes', () => {
  it('merge keeps the set and normalises it', () => {
    fc.assert(
      fc.property(anyExtents, (extents) => {
        const merged = mergeExtents(extents);
        expectNormal(merged);
        expect(bytesOf(merged)).toEqual(bytesOf(extents));
        expect(sumBytes(merged)).toBe(bytesOf(extents).size);
      }),
    );
  });

  it('subtract and intersect are set difference and intersection', () => {
    fc.assert(
      fc.property(anyExtents, anyExtents, (left, right) => {
        const [difference, both] = [subtractExtents(left, right), intersectExtents(left, right)];
        expectNormal(difference);
        expectNormal(both);
        expect(bytesOf(difference)).toEqual(new Set([...bytesOf(left)].filter((byte) => !bytesOf(right).has(byte))));
        expect(bytesOf(both)).toEqual(new Set([...bytesOf(left)].filter((byte) => bytesOf(right).has(byte))));
      }),
    );
  });
});
