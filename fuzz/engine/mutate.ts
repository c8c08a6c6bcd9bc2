/**
 * Ways to make an input worse. Most of them go for the fields the parser was seen reading, at their width and byte order; the rest
 * for what lies in the ranges it read, where bytes are looked at one by one.
 */
import { Image } from './image.ts';
import type { Input, Patch } from './input.ts';
import type { Random } from './random.ts';
import type { SeedImage } from './seedImage.ts';

/** What is known about an input that is kept. */
export interface Subject {
  readonly input: Input;
  /** As `packField` makes them. */
  readonly fields: Float64Array;
  readonly reads: readonly { at: number; length: number }[];
}

interface FieldPlace {
  readonly at: number;
  readonly width: number;
  readonly bigEndian: boolean;
}

/** One number for one field: thousands are kept for each of thousands of inputs. */
export function packField({ at, width, bigEndian }: FieldPlace): number {
  return at * 16 + (width - 1) * 2 + (bigEndian ? 1 : 0);
}

function anyField({ fields }: Subject, random: Random): FieldPlace | null {
  const packed = fields[random.below(fields.length)];
  if (packed === undefined) return null;
  return { at: Math.floor(packed / 16), width: (Math.floor(packed / 2) % 8) + 1, bigEndian: packed % 2 === 1 };
}

export interface Material {
  readonly random: Random;
  readonly seeds: ReadonlyMap<string, SeedImage>;
  readonly numbers: readonly bigint[];
  readonly texts: readonly string[];
  /** Another input, to take from. */
  readonly other: () => Subject;
}

const MAX_PATCHES = 48;
const blockSizes = [8, 16, 32, 64, 128, 256, 512, 1024, 4096];

type Mutation = (image: Image, subject: Subject, material: Material) => Patch[];

export function mutate(subject: Subject, material: Material): Input {
  const { random } = material;
  const seed = material.seeds.get(subject.input.seed);
  if (!seed) throw new Error(`there is no seed ${subject.input.seed}`);
  const sizeBytes = random.once(25) ? otherSize(subject.input.sizeBytes, random) : subject.input.sizeBytes;
  const image = new Image(seed, { ...subject.input, sizeBytes });
  const patches: Patch[] = [...subject.input.patches];
  for (let times = 1 + random.below(random.once(3) ? 8 : 2); times > 0; times--) {
    for (const patch of choose(random)(image, subject, material)) {
      const room = sizeBytes - patch.at;
      if (patch.at < 0 || room <= 0) continue;
      const fitting = { at: patch.at, bytes: patch.bytes.subarray(0, room) };
      image.write(fitting.at, fitting.bytes);
      patches.push(fitting);
    }
  }
  return { seed: seed.name, sizeBytes, patches: patches.length > MAX_PATCHES ? thinned(patches, random) : patches };
}

function thinned(patches: readonly Patch[], random: Random): Patch[] {
  return patches.filter(() => !random.once(2));
}

function otherSize(sizeBytes: number, random: Random): number {
  switch (random.below(5)) {
    case 0:
      return Math.max(1, random.below(sizeBytes + 1));
    // Room for claims a small image would refute: up to 64 GiB of nothing.
    case 1:
      return 2 ** (27 + random.below(10));
    case 2:
      return Math.max(1, sizeBytes - 1 - random.below(4096));
    case 3:
      return Math.max(512, Math.floor(random.below(sizeBytes) / 512) * 512);
    default:
      return sizeBytes + random.below(1 << 20);
  }
}

const weighted: readonly (readonly [number, Mutation])[] = [
  [30, changeField],
  [8, copyField],
  [14, changeByte],
  [5, copyBlock],
  [3, fillBlock],
  [2, swapBlocks],
  [3, takeFromOther],
  [2, writeText],
  [3, shiftRest],
];
const total = weighted.reduce((sum, [weight]) => sum + weight, 0);

function choose(random: Random): Mutation {
  let left = random.below(total);
  for (const [weight, mutation] of weighted) {
    left -= weight;
    if (left < 0) return mutation;
  }
  return changeByte;
}

function changeField(image: Image, subject: Subject, { random, numbers }: Material): Patch[] {
  const field = anyField(subject, random);
  if (!field) return [];
  const bits = BigInt(field.width * 8);
  const bytes = image.slice(field.at, field.width);
  const value = toNumber(bytes, field.bigEndian);
  return [{ at: field.at, bytes: toBytes(BigInt.asUintN(Number(bits), otherNumber(value, bits, { random, numbers })), field) }];
}

function otherNumber(value: bigint, bits: bigint, { random, numbers }: { random: Random; numbers: readonly bigint[] }): bigint {
  switch (random.below(9)) {
    case 0:
      return value ^ (1n << BigInt(random.below(Number(bits))));
    case 1:
      return value + BigInt(random.below(33) - 16);
    case 2:
      return [0n, 1n, (1n << bits) - 1n, 1n << (bits - 1n), (1n << (bits - 1n)) - 1n][random.below(5)] ?? 0n;
    case 3:
      return (1n << BigInt(random.below(Number(bits)))) + BigInt(random.below(3) - 1);
    case 4:
      return random.pick(numbers) ?? 0n;
    case 5:
      return random.once(2) ? value * 2n : value / 2n;
    case 6:
      return (random.pick(numbers) ?? 1n) + BigInt(random.below(3) - 1);
    case 7:
      return BigInt(random.below(256));
    default:
      return BigInt(random.below(2 ** 32)) * (bits > 32n ? BigInt(random.below(2 ** 21)) : 1n);
  }
}

function toNumber(bytes: Uint8Array, bigEndian: boolean): bigint {
  const ordered = bigEndian ? bytes : bytes.toReversed();
  return ordered.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function toBytes(value: bigint, { width, bigEndian }: FieldPlace): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = value;
  for (let index = 0; index < width; index++, rest >>= 8n) bytes[bigEndian ? width - 1 - index : index] = Number(rest & 255n);
  return bytes;
}

/** Makes one field say what another says: circles, things that claim the same place. */
function copyField(image: Image, subject: Subject, { random }: Material): Patch[] {
  const [to, from] = [anyField(subject, random), anyField(subject, random)];
  if (!to || !from) return [];
  const value = toNumber(image.slice(from.at, from.width), from.bigEndian);
  return [{ at: to.at, bytes: toBytes(BigInt.asUintN(to.width * 8, value), to) }];
}

/** A byte of what was read, rather one that says something. */
function anyPlace(image: Image, { reads }: Subject, random: Random): number {
  const read = random.pick(reads);
  if (!read) return random.below(image.sizeBytes);
  let at = 0;
  for (let tries = 0; tries < 6; tries++) {
    at = read.at + random.below(random.once(2) ? Math.min(read.length, 64) : read.length);
    if (image.slice(at, 1)[0] !== 0) break;
  }
  return at;
}

const nasty = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x20];

function changeByte(image: Image, subject: Subject, { random }: Material): Patch[] {
  const at = anyPlace(image, subject, random);
  const bytes = image.slice(at, [1, 1, 1, 2, 4][random.below(5)] ?? 1);
  for (let index = 0; index < bytes.length; index++) {
    const was = bytes[index] ?? 0;
    bytes[index] =
      [was ^ (1 << random.below(8)), random.below(256), nasty[random.below(nasty.length)] ?? 0, was + 1][random.below(4)] ?? 0;
  }
  return [{ at, bytes }];
}

function block(image: Image, subject: Subject, random: Random): { at: number; length: number } {
  const length = random.pick(blockSizes) ?? 64;
  const at = anyPlace(image, subject, random);
  return { at: random.once(2) ? at - (at % length) : at, length };
}

function copyBlock(image: Image, subject: Subject, { random }: Material): Patch[] {
  const { at, length } = block(image, subject, random);
  const to = anyPlace(image, subject, random);
  return [{ at: random.once(2) ? to - (to % length) : to, bytes: image.slice(at, length) }];
}

function swapBlocks(image: Image, subject: Subject, { random }: Material): Patch[] {
  const { at, length } = block(image, subject, random);
  const other = anyPlace(image, subject, random);
  return [
    { at, bytes: image.slice(other, length) },
    { at: other, bytes: image.slice(at, length) },
  ];
}

function fillBlock(image: Image, subject: Subject, { random }: Material): Patch[] {
  const { at, length } = block(image, subject, random);
  return [{ at, bytes: new Uint8Array(length).fill(random.once(2) ? 0 : random.below(256)) }];
}

/** The changes of another input of the same seed, or a block of another seed at the same or another place. */
function takeFromOther(image: Image, subject: Subject, { random, seeds, other }: Material): Patch[] {
  const { input, reads } = other();
  if (input.seed === image.seed.name) return [...input.patches];
  const seed = seeds.get(input.seed);
  const from = random.pick(reads);
  if (!seed || !from) return [];
  const bytes = new Image(seed, input).slice(from.at, Math.min(from.length, random.pick(blockSizes) ?? 64));
  return [{ at: random.once(2) ? from.at : anyPlace(image, subject, random), bytes }];
}

function writeText(image: Image, subject: Subject, { random, texts }: Material): Patch[] {
  return [{ at: anyPlace(image, subject, random), bytes: Buffer.from(random.pick(texts) ?? '', 'latin1') }];
}

const MAX_SHIFTED_BYTES = 16 << 10;

/** In something short, like a text: a piece goes, or comes twice, and what follows moves. */
function shiftRest(image: Image, subject: Subject, { random }: Material): Patch[] {
  const at = anyPlace(image, subject, random);
  const rest = image.sizeBytes - at;
  if (rest <= 0 || rest > MAX_SHIFTED_BYTES) return [];
  const length = Math.min(1 + random.below(random.once(2) ? 4 : 64), rest);
  if (random.once(2)) return [{ at: at + length, bytes: image.slice(at, rest) }];
  return [{ at, bytes: Buffer.concat([image.slice(at + length, rest - length), new Uint8Array(length).fill(0x20)]) }];
}
