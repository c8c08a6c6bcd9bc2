import { type Extent, mergeExtents } from '@diskfleet/disk';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockSet } from './blockSet.ts';
import { ChangeLog } from './changeLog.ts';

const BLOCK = 64 * 1024;
const block = (n: number, count = 1) => ({ offsetBytes: n * BLOCK, lengthBytes: count * BLOCK });

describe('the set of written blocks', () => {
  test('tells exactly the blocks that ranges touch, in order and joined', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 * BLOCK }),
        fc.array(fc.tuple(fc.nat(220 * BLOCK), fc.oneof(fc.nat(3 * BLOCK), fc.nat(120 * BLOCK))), { maxLength: 20 }),
        (sizeBytes, ranges) => {
          const set = new BlockSet(sizeBytes);
          for (const [offset, length] of ranges) set.add({ offsetBytes: offset, lengthBytes: length });
          const expected = ranges.flatMap(([offset, length]) => {
            const end = Math.min(offset + length, sizeBytes);
            if (offset >= end) return [];
            const from = Math.floor(offset / BLOCK) * BLOCK;
            return [{ offsetBytes: from, lengthBytes: Math.min(Math.ceil(end / BLOCK) * BLOCK, sizeBytes) - from }];
          });
          expect(set.extents()).toEqual(mergeExtents(expected));
          set.clear();
          expect(set.extents()).toEqual([]);
        },
      ),
    );
  });

  test('a disk of 100 TiB needs no more than 32 MiB of bits, and no block is forgotten', () => {
    const size = 100 * 2 ** 40;
    const set = new BlockSet(size);
    set.add({ offsetBytes: size - 4096, lengthBytes: 4096 });
    set.add({ offsetBytes: 50 * 2 ** 40, lengthBytes: 1 });
    const extents = set.extents();
    expect(extents.length).toBe(2);
    const granularity = extents[0]?.lengthBytes ?? 0;
    expect(size / granularity / 8).toBeLessThanOrEqual(32 * 2 ** 20);
    expect(extents.map(({ offsetBytes, lengthBytes }) => offsetBytes + lengthBytes).at(-1)).toBe(size);
  });

  test('ranges that make no sense change nothing', () => {
    const set = new BlockSet(10 * BLOCK);
    for (const [offset, length] of [
      [-1, 10],
      [5, 0],
      [5, -7],
      [2 ** 53, 512],
      [Number.NaN, 5],
    ] as const)
      set.add({ offsetBytes: offset, lengthBytes: length });
    expect(set.extents()).toEqual([]);
  });
});

describe('the change log', () => {
  const make = () => new ChangeLog(1000 * BLOCK);

  test('each question gets what was written since the one before', () => {
    const log = make();
    log.add({ offsetBytes: 0, lengthBytes: 1 });
    log.start();
    log.add({ offsetBytes: BLOCK, lengthBytes: 5 });
    expect(log.take()).toEqual([block(1)]);
    expect(log.take()).toEqual([]);
  });

  test('what the freeze drained belongs to the point, what comes after to the next', () => {
    const log = make();
    log.start();
    log.add({ offsetBytes: 0, lengthBytes: 1 });
    log.cut();
    log.add({ offsetBytes: 3 * BLOCK, lengthBytes: 1 });
    expect(log.take()).toEqual([block(0), block(3)]);
    log.keep('a');
    log.add({ offsetBytes: 5 * BLOCK, lengthBytes: 1 });
    expect(log.since('a')).toEqual([block(3), block(5)]);
    expect(log.since('b')).toBeNull();
  });

  test('a backup that fails after its freeze leaves the record of the older point whole', () => {
    const log = make();
    log.start();
    log.cut();
    log.keep('a');
    log.add({ offsetBytes: 0, lengthBytes: 1 });
    log.start();
    log.cut();
    log.add({ offsetBytes: BLOCK, lengthBytes: 1 });
    log.start();
    expect(log.since('a')).toEqual([block(0, 2)]);
  });

  test('after a loss nothing older is known: not to the backup, not since the kept point, not since the freeze', () => {
    const log = make();
    log.start();
    log.cut();
    log.keep('a');
    log.start();
    log.cut();
    log.lose();
    log.add({ offsetBytes: 0, lengthBytes: 1 });
    expect(log.since('a')).toBeNull();
    expect(log.take()).toBeNull();
    expect(log.take()).toEqual([]);
    log.keep('b');
    expect(log.since('b')).toBeNull();
    log.cut();
    log.keep('c');
    log.add({ offsetBytes: 7 * BLOCK, lengthBytes: 1 });
    expect(log.since('c')).toEqual([block(7)]);
  });

  test('a point is kept once per freeze', () => {
    const log = make();
    log.start();
    log.cut();
    log.keep('a');
    log.keep('b');
    expect([log.since('a'), log.since('b')]).toEqual([null, null]);
  });

  test('for any history, what is told since a kept point covers every write since its cut', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('write' as const), block: fc.nat(50) }),
      fc.record({ do: fc.constantFrom('start' as const, 'cut' as const, 'keep' as const, 'lose' as const, 'take' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const log = make();
        let written: number[] = [];
        let sinceCut: number[] | null = null;
        let kept: { id: string; writes: number[] } | null = null;
        let points = 0;
        for (const one of steps) {
          if (one.do === 'write') {
            log.add({ offsetBytes: one.block * BLOCK, lengthBytes: 1 });
            for (const list of [written, sinceCut, kept?.writes]) list?.push(one.block);
          } else if (one.do === 'keep') {
            points += 1;
            log.keep(`p${points}`);
            kept = sinceCut === null ? null : { id: `p${points}`, writes: sinceCut };
            sinceCut = null;
          } else if (one.do === 'take') {
            const told = log.take();
            if (told !== null) expect(blocksOf(told)).toEqual(distinct(written));
            written = [];
          } else {
            log[one.do]();
            if (one.do === 'start') written = [];
            if (one.do === 'lose') kept = null;
            sinceCut = one.do === 'cut' ? [] : null;
          }
          const told = kept === null ? null : log.since(kept.id);
          if (kept !== null) expect(told === null ? null : blocksOf(told)).toEqual(distinct(kept.writes));
        }
      }),
    );
  });
});

function blocksOf(extents: readonly Extent[]): number[] {
  return extents.flatMap(({ offsetBytes, lengthBytes }) =>
    Array.from({ length: lengthBytes / BLOCK }, (_, n) => offsetBytes / BLOCK + n),
  );
}

function distinct(blocks: readonly number[]): number[] {
  return [...new Set(blocks)].sort((a, b) => a - b);
}
