import type { DiskErrorCode } from '@diskfleet/disk';
import type { EngineErrorCode } from '@diskfleet/engine';
import type { FilesystemErrorCode } from '@diskfleet/filesystem';
import type { FailureCode } from '@diskfleet/protocol';
import type { PointHeader, VaultErrorCode } from '@diskfleet/vault';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unknownEstimate } from '../agent/eta.ts';
import { codeOf, toFailure } from '../errors.ts';
import { formatBytes, formatSeconds, formatTable } from '../words.ts';
import { commands } from './commands.ts';
import { exitCodeOf, failureDocument, failureReport } from './failureReport.ts';
import { parseCommandLine } from './parse.ts';
import { progressLine } from './progressView.ts';
import { parseRecoveryKit } from './secrets.ts';
import { selectPoint } from './selectPoint.ts';

const point = (id: string, createdAt: string, source = 'disk.img'): PointHeader => ({
  id,
  kind: 'disk',
  method: 'full',
  machineId: 'm',
  machineName: 'pc-12',
  source,
  createdAt,
  parentId: null,
  sizeBytes: 0,
  usedBytes: 0,
  newBytes: 0,
  storedBytes: 0,
});
const points = [
  point('aaaaaa1111', '2026-11-20T10:00:00.000Z'),
  point('aaaaaa2222', '2026-11-21T10:00:00.000Z'),
  point('bbbbbb3333', '2026-11-22T10:15:30.000Z', 'usb:a/b@c'),
];

test('points by latest, id, prefix and name', () => {
  const id = (selector: string) => selectPoint({ points, unreadable: [] }, selector).id;
  expect(id('latest')).toBe('bbbbbb3333');
  expect(id('aaaaaa1111')).toBe('aaaaaa1111');
  expect(id('BBBBBB')).toBe('bbbbbb3333');
  expect(id('pc-12/disk.img@2026-11-21')).toBe('aaaaaa2222');
  expect(id('pc-12/usb:a/b@c@2026-11-22T10:15')).toBe('bbbbbb3333');
});

test.each([
  ['aaaaaa', 'POINT_AMBIGUOUS'],
  ['pc-12/disk.img@2026', 'POINT_AMBIGUOUS'],
  ['aaaaa', 'POINT_NOT_FOUND'],
  ['', 'POINT_NOT_FOUND'],
  ['pc-12/disk.img@', 'POINT_NOT_FOUND'],
  ['other/disk.img@2026-11-20', 'POINT_NOT_FOUND'],
])('the selector %j gives %s', (selector, code) => {
  expect(() => selectPoint({ points, unreadable: [] }, selector)).toThrow(expect.objectContaining({ code }));
});

test('a damaged manifest that was meant is named instead of an older point given', () => {
  const damaged = (time: string, id: string) => ({ points, unreadable: [`points/pc/disk/${time}-${id}.adi`] });
  const newer = damaged('20261123t000000000z', 'c'.repeat(32));
  expect(() => selectPoint(newer, 'latest')).toThrow(expect.objectContaining({ code: 'POINT_DAMAGED' }));
  expect(() => selectPoint(newer, 'cccccc')).toThrow(expect.objectContaining({ code: 'POINT_DAMAGED' }));
  expect(selectPoint(newer, 'bbbbbb').id).toBe('bbbbbb3333');
  expect(selectPoint(damaged('20200101t000000000z', 'c'.repeat(32)), 'latest').id).toBe('bbbbbb3333');
});

test('options may stand anywhere behind the command, flags also before it', () => {
  const { command, args } = parseCommandLine(['--json', 'vault', 'create', '--unencrypted', 'place'], commands);
  expect(command?.name).toBe('vault create');
  expect([args.positionals, args.flag('unencrypted'), args.text('vault')]).toEqual([['place'], true, null]);
  const many = parseCommandLine(['restore', 'latest', '--path', '/a', '--path', '/b'], commands);
  expect(many.args.list('path')).toEqual(['/a', '/b']);
});

test('a progress line fits the terminal and never breaks', () => {
  const bytes = fc.integer({ min: 0, max: 2 ** 50 });
  const progress = fc.record({
    phase: fc.constantFrom('scan' as const, 'read' as const, 'write' as const),
    doneBytes: bytes,
    totalBytes: bytes,
    newBytes: bytes,
    storedBytes: bytes,
    skippedBytes: bytes,
  });
  const estimate = fc.record({
    bytesPerSecond: fc.option(fc.double({ min: 0, max: 1e12, noNaN: true })),
    etaSeconds: fc.option(
      fc.record({ low: fc.double({ min: 0, max: 1e7, noNaN: true }), high: fc.double({ min: 0, max: 1e7, noNaN: true }) }),
    ),
  });
  fc.assert(
    fc.property(progress, estimate, fc.integer({ min: 20, max: 300 }), (one, guess, columns) => {
      const line = progressLine(one, guess, columns);
      expect(line.length).toBeLessThan(columns);
      expect(line).not.toMatch(/NaN|undefined|null|\n/);
    }),
  );
});

test('a progress line says phase, share, rate, a range and what is new', () => {
  const progress = { phase: 'read' as const, doneBytes: 5e8, totalBytes: 1e9, newBytes: 2e8, storedBytes: 1e8, skippedBytes: 0 };
  const estimate = { bytesPerSecond: 1e8, etaSeconds: { low: 4, high: 61 } };
  expect(progressLine(progress, estimate, null)).toBe(
    'read:  50 % · 477 MiB of 954 MiB · 95.4 MiB/s · 4.0 s to 1 min left · new 191 MiB, stored 95.4 MiB',
  );
  expect(progressLine({ ...progress, totalBytes: 0 }, unknownEstimate, 80)).toBe('read …');
  expect(progressLine(progress, estimate, 140)).toContain('█');
});

test('sizes and times', () => {
  expect([0, 1023, 1024, 1.5 * 1024 ** 3, 2 ** 60].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.00 KiB',
    '1.50 GiB',
    '1024 PiB',
  ]);
  expect([0.04, 12.4, 90, 7_260].map(formatSeconds)).toEqual(['0.0 s', '12 s', '2 min', '2 h 1 min']);
});

test('nothing an image says can steer a terminal', () => {
  const hostile = '\u001b[2J\u202egnp.exe\u0007\r\n';
  const shown =
    formatTable(['NAME'], [[hostile]]) + failureReport({ code: 'FS_DAMAGED', detail: hostile, retry: 'never' }, false);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
  expect(shown.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
});

test('errors of every origin become a code with its guidance', () => {
  expect(toFailure(new Error('x'))).toEqual({ code: 'INTERNAL', detail: 'x', retry: 'never' });
  expect(toFailure('text').code).toBe('INTERNAL');
  expect(toFailure(Object.assign(new Error('full'), { code: 'ENOSPC' })).code).toBe('DISK_FULL');
  expect(toFailure(Object.assign(new Error('gone'), { code: 'VAULT_UNREACHABLE', retry: 'later' }))).toMatchObject({
    retry: 'later',
  });
  expect(codeOf(AbortSignal.abort().reason)).toBe('ABORT_ERR');
  expect(failureDocument({ code: 'USAGE', detail: '', retry: 'never' }).error.guidance).toContain('--help');
  expect(['USAGE', 'CANCELLED', 'PLAN_CHANGED', 'TARGET_IN_USE', 'VAULT_FULL'].map(exitCodeOf)).toEqual([2, 130, 4, 4, 1]);
});

test('a damaged recovery kit is not taken for a good one', () => {
  const key = Buffer.alloc(32, 1).toString('base64');
  expect(parseRecoveryKit(`words\n  id-key: ${key}\r\n`)).toEqual({
    idKey: Buffer.alloc(32, 1),
    publicKey: null,
    privateKey: null,
  });
  expect(() => parseRecoveryKit(`id-key: ${key.slice(0, 20)}`)).toThrow(/damaged/);
  expect(() => parseRecoveryKit('nothing here')).toThrow(/not a recovery kit/);
});

test('every code a layer below can throw has its texts (checked by the compiler)', () => {
  type CodesBelow = DiskErrorCode | FilesystemErrorCode | VaultErrorCode | EngineErrorCode;
  const allHaveTexts: CodesBelow extends FailureCode ? true : never = true;
  expect(allHaveTexts).toBe(true);
});
