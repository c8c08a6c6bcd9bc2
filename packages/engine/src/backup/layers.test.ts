import type { MapEntry } from '@diskfleet/vault';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { overlayEntries } from './layers.ts';
import { decodeRemembered, encodeRemembered } from './remembered.ts';
import { rereadAfter } from './reread.ts';
import { planReuse, within } from './reuse.ts';

const DISK_BYTES = 4 << 20;
const UNIT = 4096;
const UNITS = DISK_BYTES / UNIT;

/** A layer as content per unit: 0 = not covered, 1 = zero, else the chunk it comes from. */
const layer = fc
  .array(fc.tuple(fc.nat(UNITS - 1), fc.integer({ min: 1, max: 90 }), fc.nat(40)), { maxLength: 25 })
  .map((runs) => {
    const units = new Uint8Array(UNITS);
    for (const [from, length, content] of runs) units.fill(content, from, Math.min(UNITS, from + length));
    return units;
  });

const idOf = (content: number) => Buffer.alloc(32, content);

/** Entries of several units each; the chunk offset tells the place, so a wrong cut shows. */
function* entriesOf(units: Uint8Array): Generator<MapEntry> {
  for (let from = 0; from < UNITS; ) {
    let to = from + 1;
    while (to < UNITS && units[to] === units[from]) to++;
    const content = units[from] ?? 0;
    const place = { offsetBytes: from * UNIT, lengthBytes: (to - from) * UNIT };
    if (content === 1) yield { kind: 'zero', ...place };
    if (content > 1) yield { kind: 'data', ...place, chunkId: idOf(content), chunkOffsetBytes: from * UNIT };
    from = to;
  }
}

function unitsOf(entries: Iterable<MapEntry>): Uint8Array {
  const units = new Uint8Array(UNITS);
  let end = 0;
  for (const entry of entries) {
    expect(entry.offsetBytes).toBeGreaterThanOrEqual(end);
    expect(entry.lengthBytes).toBeGreaterThan(0);
    end = entry.offsetBytes + entry.lengthBytes;
    if (entry.kind === 'data') expect(entry.chunkOffsetBytes).toBe(entry.offsetBytes);
    units.fill(entry.kind === 'zero' ? 1 : (entry.chunkId[0] ?? 0), entry.offsetBytes / UNIT, end / UNIT);
  }
  return units;
}

const extentsOf = (units: Uint8Array, wanted: (content: number) => boolean) => {
  const extents: { offsetBytes: number; lengthBytes: number }[] = [];
  for (let unit = 0; unit < UNITS; unit++) {
    if (wanted(units[unit] ?? 0)) extents.push({ offsetBytes: unit * UNIT, lengthBytes: UNIT });
  }
  return extents;
};

describe('layers of a map', () => {
  test('the last layer that covers a byte gives its content, in device order and cut rightly', () => {
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 4 }), (layers) => {
        const expected = new Uint8Array(UNITS);
        for (const units of layers) for (let unit = 0; unit < UNITS; unit++) expected[unit] = units[unit] || expected[unit] || 0;
        const stacked = layers.reduce<Iterable<MapEntry>>((under, over) => overlayEntries(under, entriesOf(over)), []);
        expect(unitsOf(stacked)).toEqual(expected);
      }),
    );
  });

  test('a remembered map comes back as it was; any damage makes it nothing', () => {
    fc.assert(
      fc.property(layer, layer, fc.nat(), (one, two, where) => {
        const head = { vaultId: 'v', pointId: 'p', disks: ['disk a', 'dïsk b'] };
        const bytes = encodeRemembered(head, [entriesOf(one), entriesOf(two)], Buffer.from('notes'));
        const found = decodeRemembered(bytes);
        expect(found).toMatchObject(head);
        expect(found?.notes.toString()).toBe('notes');
        expect(unitsOf(found?.entries(0) ?? [])).toEqual(one);
        expect(unitsOf(found?.entries(1) ?? [])).toEqual(two);
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        expect(decodeRemembered(bytes)).toBeNull();
        expect(decodeRemembered(bytes.subarray(0, at))).toBeNull();
      }),
    );
    expect(decodeRemembered(null)).toBeNull();
  });
});

describe('what is read again', () => {
  test('every written byte of what is taken, with all that is used of its cells; nothing left out is', () => {
    fc.assert(
      fc.property(layer, layer, layer, (written, used, left) => {
        const leftOut = extentsOf(left, (content) => content > 30);
        const state = {
          sizeBytes: DISK_BYTES,
          used: extentsOf(used, (content) => content > 0).filter(({ offsetBytes }) => !((left[offsetBytes / UNIT] ?? 0) > 30)),
          leftOut,
        };
        const result = rereadAfter(
          extentsOf(written, (content) => content > 0),
          state,
        );
        const covers = (extents: readonly { offsetBytes: number; lengthBytes: number }[], at: number) =>
          extents.some(({ offsetBytes, lengthBytes }) => at >= offsetBytes && at < offsetBytes + lengthBytes);
        for (let unit = 0; unit < UNITS; unit += 7) {
          const at = unit * UNIT;
          const taken = (left[unit] ?? 0) <= 30;
          const isWritten = (written[unit] ?? 0) > 0 && taken;
          const wasUsed = (used[unit] ?? 0) > 0 && taken;
          expect(covers(result.used, at)).toBe(isWritten || wasUsed);
          const cell = unit - (unit % 16);
          const cellWritten = written
            .subarray(cell, cell + 16)
            .some((content, index) => content > 0 && (left[cell + index] ?? 0) <= 30);
          expect(covers(result.reread, at)).toBe(cellWritten && (isWritten || wasUsed));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('of a remembered map only what did not change, is used and is still in the vault is kept; all else is read', () => {
    fc.assert(
      fc.property(layer, layer, layer, fc.nat(40), (old, now, written, lost) => {
        const used = extentsOf(now, (content) => content > 0);
        const changed = extentsOf(written, (content) => content > 0);
        const reuse = planReuse({
          sizeBytes: DISK_BYTES,
          used,
          changed,
          entries: () => entriesOf(old),
          has: (id) => id[0] !== lost,
        });
        const kept = unitsOf(reuse.kept());
        const [read, fresh] = [new Uint8Array(UNITS), new Uint8Array(UNITS)];
        for (const [flags, extents] of [
          [read, reuse.read],
          [fresh, reuse.fresh],
        ] as const) {
          for (const { offsetBytes, lengthBytes } of extents)
            flags.fill(1, offsetBytes / UNIT, (offsetBytes + lengthBytes) / UNIT);
        }
        for (let unit = 0; unit < UNITS; unit++) {
          const isUsed = (now[unit] ?? 0) > 0;
          const before = old[unit] ?? 0;
          expect((kept[unit] ?? 0) > 0 || read[unit] === 1).toBe(isUsed);
          expect(fresh[unit] === 1).toBe(isUsed && (before === 0 || (before > 1 && before === lost)));
          if (fresh[unit] === 1) expect(read[unit]).toBe(1);
          if ((kept[unit] ?? 0) === 0) continue;
          expect(read[unit]).toBe(0);
          expect(written[unit]).toBe(0);
          expect(kept[unit]).toBe(old[unit]);
          expect(kept[unit]).not.toBe(lost > 1 ? lost : -1);
        }
      }),
    );
  });

  test('entries inside extents are cut at their borders', () => {
    fc.assert(
      fc.property(layer, layer, (units, mask) => {
        const expected = units.map((content, unit) => ((mask[unit] ?? 0) > 0 ? content : 0));
        const merged: { offsetBytes: number; lengthBytes: number }[] = [];
        for (const extent of extentsOf(mask, (content) => content > 0)) {
          const last = merged.at(-1);
          if (last !== undefined && last.offsetBytes + last.lengthBytes === extent.offsetBytes) last.lengthBytes += UNIT;
          else merged.push({ ...extent });
        }
        expect(unitsOf(within(entriesOf(units), merged))).toEqual(expected);
      }),
    );
  });
});
