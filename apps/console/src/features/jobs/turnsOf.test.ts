import { expect, it } from 'vitest';
import { turnsOf } from './turnsOf.ts';

const log = (...texts: string[]) => texts.map((text) => ({ at: '2026-11-22T10:00:00Z', level: 'info' as const, text }));

it('tells the turns of a live incremental in order', () => {
  const story = turnsOf(
    log(
      'Reading sda',
      'Building on restore point 01JD of 2026-11-21T22:00:00.000Z.',
      'sda: writes were counted since 01JD; 41 MiB of 96 GiB are read.',
      '12 MiB changed meanwhile and are read again.',
      '3.1 MiB changed meanwhile and are read again.',
      'Held still for 0.12 s; 256 KiB were read meanwhile.',
    ),
  );
  expect(story.map(({ title, detail }) => `${title}: ${detail}`)).toEqual([
    'Builds on the point before: Only what differs is stored.',
    'Changed-block map used: sda: 41 MiB of 96 GiB are read.',
    'Pass 2: 12 MiB were written meanwhile and are read again.',
    'Pass 3: 3.1 MiB were written meanwhile and are read again.',
    'Held still for 0.12 s: 256 KiB were read while nobody wrote.',
  ]);
});

it('has nothing to tell of lines it does not know', () => {
  expect(turnsOf(log('Reading sda', 'Held still', ''))).toEqual([]);
});

it('tells when holding was cut short and when it begins again', () => {
  const story = turnsOf(
    log(
      'Holding still took too long (10.02 s) and was ended early; trying again.',
      'Some writes to the disk were not told; it is read from the start.',
      'There is no earlier restore point to build on, so this incremental backup is a full one.',
    ),
  );
  expect(story.map(({ kind }) => kind)).toEqual(['early', 'restart', 'full']);
});
