import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noise } from '../testing/sampleVault.ts';
import { ChunkLengths, chunkLengthsIn } from './chunkLengths.ts';

const idOf = (id: number) => noise(`id ${id}`, 32);

describe('lengths of chunks', () => {
  it('says of every chunk what a map of ids and lengths says, and the longest of several', () => {
    const rows = fc.array(fc.tuple(fc.nat(120), fc.nat(1 << 24)), { maxLength: 300 });
    fc.assert(
      fc.property(rows, fc.boolean(), (added, again) => {
        const lengths = new ChunkLengths(121);
        const model = new Map<number, number>();
        const place = Buffer.alloc(48);
        if (again) {
          for (let id = 0; id < 121; id += 1) lengths.add(idOf(id), 0, 1 << 20);
          lengths.clear();
        }
        for (const [id, length] of added) {
          idOf(id).copy(place, 7);
          expect(lengths.add(place, 7, length)).toBe(true);
          model.set(id, Math.max(model.get(id) ?? 0, Math.min(length, 0xff_ffff)));
        }
        for (let id = 0; id <= 140; id += 1) {
          const length = model.get(id);
          expect(lengths.holds(idOf(id), 0)).toBe(length !== undefined);
          if (length === undefined) continue;
          expect(lengths.holds(idOf(id), length)).toBe(true);
          if (length < 0xff_ffff) expect(lengths.holds(idOf(id), length + 1)).toBe(false);
        }
      }),
    );
  });

  it('takes as many as it was made for, no more, and ids of zeros', () => {
    const lengths = new ChunkLengths(1000);
    expect(lengths.add(Buffer.alloc(32), 0, 5)).toBe(true);
    for (let id = 1; id < 1000; id += 1) expect(lengths.add(idOf(id), 0, 9)).toBe(true);
    expect(lengths.add(idOf(1000), 0, 9)).toBe(false);
    expect(lengths.add(idOf(7), 0, 10)).toBe(true);
    expect([lengths.holds(Buffer.alloc(32), 5), lengths.holds(idOf(7), 10), lengths.holds(idOf(1000), 1)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(chunkLengthsIn(8000)).toBe(900);
  });
});
