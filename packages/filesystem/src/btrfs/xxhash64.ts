/**
 * XXH64 with seed 0, as its specification (xxhash_spec.md) describes it. JavaScript has no fast 64-bit numbers, so each is two
 * halves and a product is put together from halves.
 */

/** A 64-bit number as halves, changed in place: no allocation per step. */
interface Wide {
  high: number;
  low: number;
}

const primes = {
  one: { high: 0x9e3779b1, low: 0x85ebca87 },
  two: { high: 0xc2b2ae3d, low: 0x27d4eb4f },
  three: { high: 0x165667b1, low: 0x9e3779f9 },
  four: { high: 0x85ebca77, low: 0xc2b2ae63 },
  five: { high: 0x27d4eb2f, low: 0x165667c5 },
};

function add(value: Wide, high: number, low: number): void {
  const sum = value.low + low;
  value.high = (value.high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0;
  value.low = sum >>> 0;
}

function multiply(value: Wide, by: Readonly<Wide>): void {
  const { high, low } = value;
  const [a, b] = [low >>> 16, low & 0xffff];
  const [c, d] = [by.low >>> 16, by.low & 0xffff];
  const bottom = b * d;
  const middle = a * d + (bottom >>> 16);
  const other = b * c + (middle & 0xffff);
  const carry = a * c + Math.floor(middle / 65536) + Math.floor(other / 65536);
  value.low = (((other & 0xffff) << 16) | (bottom & 0xffff)) >>> 0;
  value.high = (carry + Math.imul(high, by.low) + Math.imul(low, by.high)) >>> 0;
}

function rotateLeft(value: Wide, bits: number): void {
  const [high, low] = bits < 32 ? [value.high, value.low] : [value.low, value.high];
  const by = bits & 31;
  value.high = by === 0 ? high : ((high << by) | (low >>> (32 - by))) >>> 0;
  value.low = by === 0 ? low : ((low << by) | (high >>> (32 - by))) >>> 0;
}

function xor(value: Wide, high: number, low: number): void {
  value.high = (value.high ^ high) >>> 0;
  value.low = (value.low ^ low) >>> 0;
}

function round(lane: Wide, high: number, low: number): void {
  const input = { high, low };
  multiply(input, primes.two);
  add(lane, input.high, input.low);
  rotateLeft(lane, 31);
  multiply(lane, primes.one);
}

/** `value ^= value >> bits`, for bits from 29 to 33. */
function fold(value: Wide, bits: number): void {
  if (bits < 32) xor(value, value.high >>> bits, ((value.high << (32 - bits)) | (value.low >>> bits)) >>> 0);
  else xor(value, 0, value.high >>> (bits - 32));
}

/** The hash as it is stored: eight bytes, lowest first. */
export function xxhash64(bytes: Uint8Array): Buffer {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const { hash, at } = takeLanes(data);
  add(hash, Math.floor(data.length / 2 ** 32), data.length >>> 0);
  takeTail(data, at, hash);
  fold(hash, 33);
  multiply(hash, primes.two);
  fold(hash, 29);
  multiply(hash, primes.three);
  fold(hash, 32);
  const stored = Buffer.alloc(8);
  stored.writeUInt32LE(hash.low, 0);
  stored.writeUInt32LE(hash.high, 4);
  return stored;
}

function takeLanes(data: Buffer): { hash: Wide; at: number } {
  if (data.length < 32) return { hash: { ...primes.five }, at: 0 };
  const first = { ...primes.one };
  add(first, primes.two.high, primes.two.low);
  const fourth = { high: 0, low: 0 };
  add(fourth, ~primes.one.high >>> 0, ~primes.one.low >>> 0);
  add(fourth, 0, 1);
  const lanes = [first, { ...primes.two }, { high: 0, low: 0 }, fourth];
  let at = 0;
  for (; at + 32 <= data.length; at += 32) {
    let lane = at;
    for (const state of lanes) {
      round(state, data.readUInt32LE(lane + 4), data.readUInt32LE(lane));
      lane += 8;
    }
  }
  const hash = { high: 0, low: 0 };
  for (const [index, lane] of lanes.entries()) {
    const turned = { ...lane };
    rotateLeft(turned, [1, 7, 12, 18][index] ?? 0);
    add(hash, turned.high, turned.low);
  }
  for (const lane of lanes) {
    const mixed = { high: 0, low: 0 };
    round(mixed, lane.high, lane.low);
    xor(hash, mixed.high, mixed.low);
    multiply(hash, primes.one);
    add(hash, primes.four.high, primes.four.low);
  }
  return { hash, at };
}

function takeTail(data: Buffer, start: number, hash: Wide): void {
  let at = start;
  for (; at + 8 <= data.length; at += 8) {
    const mixed = { high: 0, low: 0 };
    round(mixed, data.readUInt32LE(at + 4), data.readUInt32LE(at));
    xor(hash, mixed.high, mixed.low);
    rotateLeft(hash, 27);
    multiply(hash, primes.one);
    add(hash, primes.four.high, primes.four.low);
  }
  if (at + 4 <= data.length) {
    const mixed = { high: 0, low: data.readUInt32LE(at) };
    multiply(mixed, primes.one);
    xor(hash, mixed.high, mixed.low);
    rotateLeft(hash, 23);
    multiply(hash, primes.two);
    add(hash, primes.three.high, primes.three.low);
    at += 4;
  }
  for (; at < data.length; at++) {
    const mixed = { high: 0, low: data.readUInt8(at) };
    multiply(mixed, primes.five);
    xor(hash, mixed.high, mixed.low);
    rotateLeft(hash, 11);
    multiply(hash, primes.one);
  }
}
