import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TargetWindows, windowsOver } from './targetWindows.ts';

const END = 40 << 20;
const ranges = fc.array(
  fc
    .tuple(fc.nat(END - 1), fc.integer({ min: 1, max: 9 << 20 }))
    .map(([from, length]) => ({ from, to: Math.min(END, from + length) })),
  { maxLength: 30 },
);

test('every wanted byte lies in a window; windows are short, begin at pages, end inside the target', () => {
  fc.assert(
    fc.property(ranges, (wanted) => {
      const windows = windowsOver(wanted, END);
      for (const { from, to } of windows) {
        expect(from % 4096).toBe(0);
        expect(to).toBeGreaterThan(from);
        expect(to - from).toBeLessThanOrEqual(4 << 20);
        expect(to).toBeLessThanOrEqual(END);
      }
      for (const { from, to } of wanted) {
        for (let at = from; at < to; ) {
          const window = windows.find((one) => at >= one.from && at < one.to);
          expect(window).toBeDefined();
          at = window?.to ?? to;
        }
      }
    }),
  );
});

test('copies are what a plain read gives', () => {
  const disk = Buffer.alloc(END);
  for (let at = 0; at < END; at += 4) disk.writeUInt32LE(at, at);
  const read = (bytes: Uint8Array, offset: number) => bytes.set(disk.subarray(offset, offset + bytes.length));
  fc.assert(
    fc.property(ranges, (wanted) => {
      const windows = new TargetWindows(read);
      windows.begin(wanted, END);
      for (const { from, to } of wanted) {
        const target = Buffer.alloc(to - from);
        windows.copy(from, target);
        expect(target.equals(disk.subarray(from, to))).toBe(true);
      }
    }),
    { numRuns: 30 },
  );
});
