import { describe, expect, it } from 'vitest';
import { canCancel, canRetry, phaseName, powerAdvice, resultLine } from './jobWords.ts';

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
