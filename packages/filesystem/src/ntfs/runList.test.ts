import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FilesystemError } from '../errors.ts';
import type { NtfsGeometry } from './bootSector.ts';
import { appendRuns, coveredClusters, findRun, HOLE, type Run } from './runList.ts';

const geometry: NtfsGeometry = {
  sectorBytes: 512,
  clusterBytes: 4096,
  clusterCount: 2 ** 40,
  volumeBytes: 2 ** 52,
  mftCluster: 4,
  mftMirrorCluster: 8,
  recordBytes: 1024,
  serial: '0000000000000000',
};

function decode(bytes: readonly number[]): Run[] {
  const runs: Run[] = [];
  appendRuns(runs, Buffer.from(bytes), geometry);
  return runs;
}

/** The smallest signed little-endian form of a number. */
function signedBytes(value: number): number[] {
  let length = 1;
  while (value < -(2 ** (8 * length - 1)) || value >= 2 ** (8 * length - 1)) length++;
  const bytes = Buffer.alloc(6);
  bytes.writeIntLE(value, 0, length);
  return [...bytes.subarray(0, length)];
}

function encode(runs: readonly { lcn: number; clusters: number }[]): number[] {
  let previous = 0;
  const bytes: number[] = [];
  for (const { lcn, clusters } of runs) {
    const length = signedBytes(clusters);
    const distance = lcn === HOLE ? [] : signedBytes(lcn - previous);
    if (lcn !== HOLE) previous = lcn;
    bytes.push(length.length | (distance.length << 4), ...length, ...distance);
  }
  return [...bytes, 0];
}

test('distances go both ways, holes keep the place, neighbours are joined', () => {
  expect(decode([0x11, 4, 10, 0x01, 3, 0x11, 2, 0xfb, 0x11, 5, 2, 0x00])).toEqual([
    { vcn: 0, lcn: 10, clusters: 4 },
    { vcn: 4, lcn: HOLE, clusters: 3 },
    { vcn: 7, lcn: 5, clusters: 7 },
  ]);
});

test('what is encoded is decoded, and every cluster is found', () => {
  const run = fc.record({
    lcn: fc.oneof(fc.constant(HOLE), fc.nat(2 ** 31 - 1), fc.integer({ min: 0, max: 2 ** 39 })),
    clusters: fc.integer({ min: 1, max: 100_000 }),
  });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 30 }), fc.nat(), (wanted, seed) => {
      const runs = decode(encode(wanted));
      const total = wanted.reduce((sum, { clusters }) => sum + clusters, 0);
      expect(coveredClusters(runs)).toBe(total);
      expect(findRun(runs, total)).toBe(-1);
      if (total === 0) return;
      const vcn = seed % total;
      let start = 0;
      const source = wanted.find(({ clusters }) => {
        start += clusters;
        return vcn < start;
      });
      const found = runs[findRun(runs, vcn)];
      const expected = source?.lcn === HOLE ? HOLE : (source?.lcn ?? 0) + vcn - (start - (source?.clusters ?? 0));
      expect(found?.lcn === HOLE ? HOLE : (found?.lcn ?? 0) + vcn - (found?.vcn ?? 0)).toBe(expected);
    }),
  );
});

test.each([
  ['no end', [0x11, 4, 10]],
  ['a cut distance', [0x31, 4, 10]],
  ['no length', [0x10, 10, 0]],
  ['a negative length', [0x11, 0xff, 10, 0]],
  ['a place before the volume', [0x11, 1, 0xff, 0]],
  ['a place behind the volume', [0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0]],
  ['numbers of nine bytes', [0x19, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]],
])('%s is damage', (_, bytes) => {
  expect(() => decode(bytes)).toThrow(FilesystemError);
});
