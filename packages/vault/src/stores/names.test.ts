import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../keys/derive.ts';
import { pointIdOfName, pointObjectName } from '../point/manifest.ts';
import { checkName, nameSegment } from './names.ts';

const hash = (text: string) => sha256(text).toString('hex');

describe('object names', () => {
  it('[F1] any two texts get two segments, and every segment is a name', () => {
    const textArb = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom('', '.', '..', '~', 'A', 'a', '~41', 'x'.repeat(101)),
    );
    fc.assert(
      fc.property(textArb, textArb, (one, other) => {
        checkName(nameSegment(one, hash));
        const sameText = Buffer.from(one).equals(Buffer.from(other));
        expect(nameSegment(one, hash) === nameSegment(other, hash)).toBe(sameText);
      }),
      { numRuns: 500 },
    );
  });

  it('[F1] writes segments as documented', () => {
    expect(nameSegment('WD-42 ü', hash)).toBe('~57~44-42~20~c3~bc');
    expect(nameSegment('', hash)).toBe('~');
    expect(nameSegment('x'.repeat(101), hash)).toBe(`${'x'.repeat(80)}~.${hash('x'.repeat(101)).slice(0, 16)}`);
  });

  it('[F17] a point is named by machine, source, time and id', () => {
    const id = 'ab'.repeat(16);
    const header = { machineId: 'm1', source: 'sda', createdAt: '2026-11-22T12:34:56.789Z', id, kind: 'disk' as const };
    expect(pointObjectName(header)).toBe(`points/m1/sda/20261122t123456789z-${id}.adi`);
    expect(pointObjectName({ ...header, kind: 'file' })).toBe(`points/m1/sda/20261122t123456789z-${id}.afi`);
    expect(pointIdOfName(pointObjectName(header))).toBe(id);
    expect(pointIdOfName('points/m1/sda/notes.txt')).toBeNull();
  });
});
