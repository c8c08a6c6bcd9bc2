import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { childPath, downloadHref, exploreHref, parentPath, pathFromSegments, sortEntries } from './imagePath.ts';

const name = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => !text.includes('/') && text.isWellFormed());

describe('paths in the address bar', () => {
  it('come back as they were, whatever a file is called', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 5 }), (names) => {
        const path = names.reduce(childPath, '/');
        const segments = exploreHref('p/1', 0, path).split('/').slice(4);
        expect(pathFromSegments(segments)).toBe(path);
      }),
    );
  });

  it('know parents and children', () => {
    expect(childPath('/', '2')).toBe('/2');
    expect(childPath('/2', 'usr')).toBe('/2/usr');
    expect(parentPath('/2/usr')).toBe('/2');
    expect(parentPath('/2')).toBe('/');
  });

  it('carry names with signs of their own to the download', () => {
    const url = new URL(downloadHref('p', 1, '/2/50% & more?#.txt'), 'http://x');
    expect(url.searchParams.get('path')).toBe('/2/50% & more?#.txt');
  });
});

describe('sortEntries', () => {
  const entry = (name: string, type: string, sizeBytes: number) => ({ name, type, sizeBytes, modifiedAt: null });
  const entries = [entry('file10', 'file', 1), entry('file2', 'file', 9), entry('etc', 'directory', 0)];
  const names = (list: readonly { name: string }[]) => list.map((each) => each.name);

  it('keeps folders first and counts numbers in names', () => {
    expect(names(sortEntries(entries, 'name', false))).toEqual(['etc', 'file2', 'file10']);
    expect(names(sortEntries(entries, 'name', true))).toEqual(['etc', 'file10', 'file2']);
  });
  it('sorts by size', () => {
    expect(names(sortEntries(entries, 'size', true))).toEqual(['etc', 'file2', 'file10']);
    expect(names(sortEntries(entries, 'size', false))).toEqual(['etc', 'file10', 'file2']);
  });
});
