/** The fuzzer finds what it is for: each kind of fault, behind a checksum, in the middle of inputs that do no harm. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { instrument, type Place } from './build/instrument.ts';
import { decodeInput, encodeInput, mergedPatches } from './engine/input.ts';
import { packSeed, unpackSeed } from './engine/seedImage.ts';
import { planted } from './planted/parser.ts';
import { seedFolder } from './run/folders.ts';
import { judge } from './run/judge.ts';
import { runTarget } from './run/runTarget.ts';

/** A sound input; the fuzzer has to find the commands that do harm by itself. */
function plantedBytes(command: number, number: number): Buffer {
  const bytes = Buffer.alloc(planted.lengthBytes);
  bytes.writeUInt32LE(planted.magic, 0);
  bytes.writeUInt32LE(command, 8);
  bytes.writeUInt32LE(number, 12);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

const ASIDE = { sizeBytes: planted.lengthBytes, seed: 'sound' };

describe('faults planted behind a checksum', () => {
  beforeAll(() => {
    mkdirSync(seedFolder('planted'), { recursive: true });
    writeFileSync(join(seedFolder('planted'), 'sound.img.zst'), packSeed(plantedBytes(1, 5), 512));
  });

  test('all of them are found, from one sound input', { timeout: 240_000 }, async () => {
    const found = new Set<string>();
    // Rounds instead of a time: a slow machine only needs more of them.
    for (let round = 0; round < 20 && found.size < 5; round++) {
      const outcome = await runTarget({ target: 'planted', seconds: 5, seed: 100 + round, number: 0 });
      expect(outcome.broken).toBeNull();
      for (const { problem } of outcome.findings) {
        const wrong = problem.text.includes('a number below zero');
        found.add(wrong ? 'wrong result' : problem.kind);
      }
    }
    expect([...found].sort()).toEqual(['exception', 'memory', 'rejection', 'slow', 'wrong result']);
  });

  test.each([
    ['exception', 2001],
    ['rejection', 2002],
    ['slow', 2003],
    ['memory', 2004],
    ['exception', 2005],
  ])('a replay says %s of command %i', { timeout: 60_000 }, async (kind, command) => {
    const input = encodeInput({ ...ASIDE, patches: [{ at: 0, bytes: plantedBytes(command, 0) }] });
    expect((await judge('planted', input)).problem?.kind).toBe(kind);
  });

  test.each([1, 3])('a replay says nothing of command %i', { timeout: 60_000 }, async (command) => {
    const input = encodeInput({ ...ASIDE, patches: [{ at: 0, bytes: plantedBytes(command, 0) }] });
    expect((await judge('planted', input)).problem).toBeNull();
  });
});

describe('inputs and seeds', () => {
  test('survive their files', () => {
    const input = { seed: 's', sizeBytes: 99, patches: [{ at: 7, bytes: Uint8Array.of(1, 255) }] };
    expect(encodeInput(decodeInput(encodeInput(input)))).toBe(encodeInput(input));
    const bytes = Buffer.alloc(20_000);
    bytes.write('head', 0);
    bytes.write('across pages', 8190);
    bytes.write('tail', 19_996);
    const { pages, sizeBytes } = unpackSeed('s', packSeed(bytes, 512));
    expect(sizeBytes).toBe(20_000);
    const read = Buffer.alloc(20_480);
    for (const [number, page] of pages) read.set(page, number * 4096);
    expect(read.subarray(0, 20_000).equals(bytes)).toBe(true);
    expect(pages.size).toBe(4);
  });

  test('patches merge to what writing them in order gives', () => {
    const patches = [
      { at: 4, bytes: Uint8Array.of(1, 1, 1) },
      { at: 6, bytes: Uint8Array.of(2, 2) },
      { at: 20, bytes: Uint8Array.of(3) },
    ];
    expect(mergedPatches(patches)).toEqual([
      { at: 4, bytes: Uint8Array.of(1, 1, 2, 2) },
      { at: 20, bytes: Uint8Array.of(3) },
    ]);
  });
});

describe('counters', () => {
  const source = `
    export function f(n: number, list: readonly number[] = []): unknown {
      if (n > 1) if (n > 2) return 'two'; else return n < 3 ? { a: n } : null;
      for (const one of list) while (n < one) n++;
      do n--; while (n > 9 && list.length === 3);
      switch (n) { case 4: return (() => ({ b: 1 }))(); default: }
      const crcOf = (x: number) => x + 1;
      try { if (crcOf(n) !== list[0]) throw new Error('no'); else if (n === 0) return 'zero'; } catch { return 'caught' }
      return list.length ? n ?? 1 : (n || 'x');
    }`;

  test('change nothing about what code does, and tell which ways it took', async () => {
    const places: Place[] = [];
    const { code, numbers } = instrument(source, 'f.ts', places);
    const load = (text: string) => import(`data:text/javascript,${encodeURIComponent(text)}`);
    const counts = new Uint8ClampedArray(places.length);
    const compared: unknown[][] = [];
    Object.assign(globalThis, {
      __fuzz: { c: counts, k: (left: unknown, right: unknown) => compared.push([left, right]) > 0 && left === right },
    });
    const { stripTypeScriptTypes } = await import('node:module');
    const [plain, counting] = [await load(stripTypeScriptTypes(source)), await load(code)];
    const inputs: [number, number[]?][] = [[3], [2], [1, [1]], [0, [1, 2, 3]], [1, [9]], [-4, [5, 7]], [0, []], [-1, [-1]]];
    for (const [n, list] of inputs) expect(counting.f(n, list)).toEqual(plain.f(n, list));
    expect(compared.length).toBeGreaterThan(0);
    expect(counts[0]).toBe(inputs.length);
    expect([...counts].filter((count) => count > 0).length).toBeGreaterThan(10);
    expect(numbers).toEqual([]);
    expect(places.every(({ file, line }) => file === 'f.ts' && line >= 2 && line <= 10)).toBe(true);
  });
});
