import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { compressBound, type GcmRecord, loadBuiltin, loadFfi } from './native.ts';
import { noise, text } from './testing/sampleVault.ts';

const ffi = loadFfi();
const builtin = loadBuiltin();

const samples: [string, Buffer][] = [
  ['empty', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['text', text('t', 262_144)],
  ['noise', noise('n', 70_001)],
  ['zeros', Buffer.alloc(1 << 20)],
  ['odd length', text('odd', 131_073)],
];

describe('zstd: FFI and built-in', () => {
  it.each(samples)('give the same frame and read each other: %s', (_name, plain) => {
    for (const level of [-5, 1, 3, 9]) {
      const frames = [ffi, builtin].map((one) => {
        const target = Buffer.alloc(compressBound(plain.length));
        const compressor = one.openCompressor(level);
        const length = compressor.compress(plain, target);
        compressor.close();
        return target.subarray(0, length);
      });
      expect(frames[0]?.equals(frames[1] ?? Buffer.alloc(0))).toBe(true);
      for (const [place, one] of [ffi, builtin].entries()) {
        const decompressor = one.openDecompressor();
        const out = Buffer.alloc(plain.length, 1);
        expect(decompressor.decompress(frames[1 - place] ?? Buffer.alloc(0), out)).toBe(true);
        expect(out.equals(plain)).toBe(true);
        decompressor.close();
      }
    }
  });

  it('refuse a damaged frame and a frame of another length', () => {
    const plain = text('t', 10_000);
    const target = Buffer.alloc(compressBound(plain.length));
    const frame = target.subarray(0, ffi.openCompressor(1).compress(plain, target));
    for (const one of [ffi, builtin]) {
      const decompressor = one.openDecompressor();
      expect(decompressor.decompress(frame, Buffer.alloc(9_999))).toBe(false);
      expect(decompressor.decompress(frame, Buffer.alloc(10_001))).toBe(false);
      expect(decompressor.decompress(frame.subarray(0, 100), Buffer.alloc(10_000))).toBe(false);
      expect(decompressor.decompress(noise('junk', 500), Buffer.alloc(10_000))).toBe(false);
      // And go on working after a failure.
      const out = Buffer.alloc(10_000);
      expect(decompressor.decompress(frame, out)).toBe(true);
      expect(out.equals(plain)).toBe(true);
    }
  });
});

describe('AES-256-GCM: FFI and built-in', () => {
  const blank = (input: Buffer, nonce: number): GcmRecord => ({
    nonce: Buffer.alloc(12, nonce),
    aad: Buffer.from('additional data'),
    input,
    output: Buffer.alloc(input.length),
    tag: Buffer.alloc(16),
  });

  it.each(samples)('give the same bytes and read each other: %s', (_name, plain) => {
    const gcms = [ffi.openGcm(), builtin.openGcm()];
    for (const key of [randomBytes(32), randomBytes(32)]) {
      const sealed = gcms.map((gcm) => {
        gcm.setKey(key);
        const record = blank(plain, 3);
        gcm.seal(record);
        return record;
      });
      expect(Buffer.from(sealed[0]?.output ?? []).equals(Buffer.from(sealed[1]?.output ?? []))).toBe(true);
      expect(sealed[0]?.tag).toEqual(sealed[1]?.tag);
      for (const [place, gcm] of gcms.entries()) {
        const theirs = sealed[1 - place] ?? blank(plain, 0);
        // In place, as packs do it.
        const bytes = Buffer.from(theirs.output);
        expect(gcm.open({ ...theirs, input: bytes, output: bytes })).toBe(true);
        expect(bytes.equals(plain)).toBe(true);
      }
    }
  });

  it('refuse a changed bit anywhere, and go on working', () => {
    const plain = text('gcm', 100);
    for (const gcm of [ffi.openGcm(), builtin.openGcm()]) {
      gcm.setKey(Buffer.alloc(32, 5));
      const record = blank(plain, 1);
      gcm.seal(record);
      const parts = {
        input: Buffer.from(record.output),
        tag: Buffer.from(record.tag),
        aad: Buffer.from(record.aad),
        nonce: Buffer.from(record.nonce),
      };
      for (const name of ['input', 'tag', 'aad', 'nonce'] as const) {
        for (let at = 0; at < parts[name].length; at += 1) {
          const changed = Buffer.from(parts[name]);
          changed[at] = (changed[at] ?? 0) ^ 0x10;
          expect(gcm.open({ ...parts, [name]: changed, output: Buffer.alloc(100) })).toBe(false);
        }
      }
      const out = Buffer.alloc(100);
      expect(gcm.open({ ...parts, output: out })).toBe(true);
      expect(out.equals(plain)).toBe(true);
    }
  });
});

describe('SHA-256 off the thread: FFI and built-in', () => {
  it.each(samples)('give what node gives, many at once, in shared memory too: %s', async (_name, plain) => {
    const shared = Buffer.from(new SharedArrayBuffer(plain.length));
    plain.copy(shared);
    const wanted = createHash('sha256').update(plain).digest();
    for (const one of [ffi, builtin]) {
      const found = await Promise.all([plain, shared, plain, shared, plain].map((bytes) => one.sha256(bytes)));
      expect(found.every((hash) => hash.equals(wanted))).toBe(true);
    }
  });
});
