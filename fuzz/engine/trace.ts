/**
 * Which bytes of an input a parser looks at, and as what. The device says which ranges were read; `Buffer`'s own number readers, which
 * every parser here uses, say which fields of them. Watching is off but for the few runs that need it.
 */
import type { Image } from './image.ts';

/** A number the parser read. */
export interface Field {
  /** On the image; -1 when it was read from a copy whose origin is not known. */
  readonly at: number;
  readonly width: number;
  readonly bigEndian: boolean;
  readonly value: number;
  /** Some of what stands around it where it was read: finds the origin of a copy. */
  readonly around: { readonly bytes: Uint8Array; readonly before: number } | null;
}

interface Origin {
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

const MAX_FIELDS = 30_000;
const MAX_READS = 4000;

export class Trace {
  readonly fields: Field[] = [];
  readonly reads: { at: number; length: number }[] = [];
  private readonly origins = new WeakMap<object, Origin[]>();

  readonly onRead = (at: number, target: Uint8Array): void => {
    if (target.length === 0) return;
    if (this.reads.length < MAX_READS) this.reads.push({ at, length: target.length });
    const known = this.origins.get(target.buffer) ?? [];
    known.push({ start: target.byteOffset, end: target.byteOffset + target.length, at });
    this.origins.set(target.buffer, known);
  };

  /** Where on the image the bytes of this view came from; -1 when that is not known. */
  origin(view: Uint8Array, offset: number): number {
    const place = view.byteOffset + offset;
    const found = this.origins.get(view.buffer)?.findLast(({ start, end }) => place >= start && place < end);
    return found ? found.at + place - found.start : -1;
  }

  note(view: Uint8Array, offset: number, read: { width: number; bigEndian: boolean; value: number }): void {
    if (this.fields.length >= MAX_FIELDS) return;
    const at = this.origin(view, offset);
    const start = Math.max(0, offset - 16);
    const around = at >= 0 ? null : { bytes: Uint8Array.from(view.subarray(start, offset + 16)), before: offset - start };
    this.fields.push({ at, around, ...read });
  }
}

let current: Trace | null = null;

/** Watches what `action` reads of the image. */
export async function traced(image: Image, action: () => Promise<void>): Promise<Trace> {
  const trace = new Trace();
  image.onRead = trace.onRead;
  current = trace;
  try {
    await action();
  } finally {
    current = null;
    image.onRead = null;
  }
  return trace;
}

export function currentTrace(): Trace | null {
  return current;
}

const readers: readonly [string, number, boolean][] = [
  ['readUInt8', 1, false],
  ['readInt8', 1, false],
  ['readUInt16LE', 2, false],
  ['readUInt16BE', 2, true],
  ['readInt16LE', 2, false],
  ['readUInt32LE', 4, false],
  ['readUInt32BE', 4, true],
  ['readInt32LE', 4, false],
  ['readInt32BE', 4, true],
  ['readBigUInt64LE', 8, false],
  ['readBigUInt64BE', 8, true],
  ['readBigInt64LE', 8, false],
  ['readUIntLE', 0, false],
  ['readIntLE', 0, false],
  ['readUIntBE', 0, true],
];

/** To be called once, before any parser runs. */
export function installTracing(): void {
  for (const [name, width, bigEndian] of readers) {
    const original: unknown = Reflect.get(Buffer.prototype, name);
    if (typeof original !== 'function') throw new Error(`Buffer has no ${name}`);
    Reflect.set(Buffer.prototype, name, function reading(this: Buffer, offset = 0, length = 0) {
      const value = original.call(this, offset, length);
      if (current !== null) current.note(this, offset, { width: width || length, bigEndian, value: Number(value) });
      return value;
    });
  }
}
