import { expect, it } from 'vitest';
import { effectiveOptions, firstOptions } from './options.ts';

it('a copy of every sector leaves nothing out and asks nothing of the metadata', () => {
  const wishes = { ...firstOptions, sectorBySector: true, trustMetadata: true, cutter: 'files' as const };
  expect(effectiveOptions(wishes, 'incremental')).toMatchObject({ leaveOut: new Set(), trustMetadata: false, cutter: 'default' });
});

it('trust needs something to build on', () => {
  const wishes = { ...firstOptions, trustMetadata: true };
  expect(effectiveOptions(wishes, 'full').trustMetadata).toBe(false);
  expect(effectiveOptions(wishes, 'differential')).toMatchObject({ trustMetadata: true, leaveOut: firstOptions.leaveOut });
});
