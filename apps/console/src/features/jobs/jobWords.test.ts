import { describe, expect, it } from 'vitest';
import { canCancel, canRetry, isInconsistent, phaseName, phasesOf, powerAdvice, resultLine, statusOf } from './jobWords.ts';

describe('powerAdvice', () => {
  it('forbids switching off while a disk is being written, and only then', () => {
    expect(powerAdvice('restore', 'running').safe).toBe(false);
    expect(powerAdvice('restore', 'queued').safe).toBe(true);
    expect(powerAdvice('backup', 'running').safe).toBe(true);
    expect(powerAdvice('verify', 'running').safe).toBe(true);
  });
});

it('names phases, also those it has never heard of', () => {
  expect(phaseName('compare')).toBe('Reading back and comparing');
  expect(phaseName('warmUp')).toBe('Warm up');
  expect(phaseName('')).toBe('Working');
});

it('never offers to repeat a restore without a new plan', () => {
  expect(canRetry({ state: 'failed', kind: 'restore' })).toBe(false);
  expect(canRetry({ state: 'failed', kind: 'backup' })).toBe(true);
  expect(canRetry({ state: 'running', kind: 'backup' })).toBe(false);
  expect(canCancel({ state: 'running' })).toBe(true);
  expect(canCancel({ state: 'succeeded' })).toBe(false);
});

it('says damage before anything else', () => {
  const damaged = [{ object: 'pack 7', problem: 'hash differs', points: [], paths: [] }];
  expect(resultLine({ kind: 'verify', checkedBytes: 1024, checkedObjects: 3, damaged })).toBe('1 damaged object found');
  expect(resultLine({ kind: 'verify', checkedBytes: 1024, checkedObjects: 3, damaged: [] })).toBe('1.00 KiB checked, no damage');
});

it('places a phase among those of its kind, also one of a newer agent', () => {
  expect(phasesOf('backup', 'read')).toEqual({ phases: ['scan', 'read', 'commit'], current: 1 });
  expect(phasesOf('backup', 'freeze')).toEqual({ phases: ['scan', 'read', 'freeze', 'commit'], current: 2 });
  expect(phasesOf('restore', null).current).toBe(-1);
});

it('calls success with warnings by another name, and a torn picture by its own', () => {
  const torn = 'sda is mounted at /: what changes while it is read may be saved half old, half new.';
  const sizes = { sourceBytes: 1, usedBytes: 1, readBytes: 1, newBytes: 1, storedBytes: 1, seconds: 1 };
  const result = { kind: 'backup' as const, pointId: 'p', method: 'full' as const, ...sizes, warnings: [torn] };
  expect(statusOf({ state: 'succeeded', result })).toBe('warned');
  expect(statusOf({ state: 'succeeded', result: { ...result, warnings: [] } })).toBe('succeeded');
  expect(statusOf({ state: 'failed', result: null })).toBe('failed');
  const restored = {
    kind: 'restore' as const,
    writtenBytes: 1,
    skippedBytes: 0,
    comparedBytes: 1,
    seconds: 1,
    warnings: ['kept'],
  };
  expect(statusOf({ state: 'succeeded', result: restored })).toBe('succeeded');
  expect(isInconsistent(torn)).toBe(true);
  expect(isInconsistent('the filesystem was not shut down cleanly')).toBe(false);
});
