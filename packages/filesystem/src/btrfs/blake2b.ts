/** BLAKE2b with a digest of 32 bytes and no key, after RFC 7693. (The hash of OpenSSL has 64 bytes, which is another function.) */

const blockBytes = 128;
/** Halves of each 64-bit number, low one first. */
const initial = Uint32Array.of(
  ...[0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a],
  ...[0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19],
);
/** Which word of the message goes where, by round; rounds 10 and 11 repeat 0 and 1. */
const schedule = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
].map((round) => Uint8Array.from(round));
/** The columns, then the diagonals of the state. */
const quarters = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

export function blake2b256(bytes: Uint8Array): Buffer {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const hash = Uint32Array.from(initial);
  hash[0] = (hash[0] ?? 0) ^ 0x01010020;
  const words = new Uint32Array(32);
  const last = Math.max(0, Math.ceil(data.length / blockBytes) - 1) * blockBytes;
  for (let at = 0; at <= last; at += blockBytes) {
    const block = Buffer.alloc(blockBytes);
    data.copy(block, 0, at);
    for (let index = 0; index < 32; index++) words[index] = block.readUInt32LE(index * 4);
    compress(hash, words, { countedBytes: Math.min(at + blockBytes, data.length), final: at === last });
  }
  const digest = Buffer.alloc(32);
  for (let index = 0; index < 8; index++) digest.writeUInt32LE(hash[index] ?? 0, index * 4);
  return digest;
}

function compress(hash: Uint32Array, words: Uint32Array, block: { countedBytes: number; final: boolean }): void {
  const state = new Uint32Array(32);
  state.set(hash, 0);
  state.set(initial, 16);
  state[24] = (state[24] ?? 0) ^ (block.countedBytes >>> 0);
  state[25] = (state[25] ?? 0) ^ Math.floor(block.countedBytes / 2 ** 32);
  if (block.final) {
    state[28] = ~(state[28] ?? 0);
    state[29] = ~(state[29] ?? 0);
  }
  for (let round = 0; round < 12; round++) {
    const order = schedule[round % 10] ?? new Uint8Array(16);
    let next = 0;
    for (const [a, b, c, d] of quarters) {
      add(state, a * 2, state[b * 2] ?? 0, state[b * 2 + 1] ?? 0);
      addWord(state, a * 2, words, order[next++] ?? 0);
      turn(state, d * 2, a * 2, 32);
      add(state, c * 2, state[d * 2] ?? 0, state[d * 2 + 1] ?? 0);
      turn(state, b * 2, c * 2, 24);
      add(state, a * 2, state[b * 2] ?? 0, state[b * 2 + 1] ?? 0);
      addWord(state, a * 2, words, order[next++] ?? 0);
      turn(state, d * 2, a * 2, 16);
      add(state, c * 2, state[d * 2] ?? 0, state[d * 2 + 1] ?? 0);
      turn(state, b * 2, c * 2, 63);
    }
  }
  for (let index = 0; index < 16; index++) hash[index] = (hash[index] ?? 0) ^ (state[index] ?? 0) ^ (state[index + 16] ?? 0);
}

function addWord(state: Uint32Array, at: number, words: Uint32Array, word: number): void {
  add(state, at, words[word * 2] ?? 0, words[word * 2 + 1] ?? 0);
}

/** Four plain numbers, not an object: this is the innermost loop. */
function add(state: Uint32Array, at: number, low: number, high: number): void {
  const sum = (state[at] ?? 0) + low;
  state[at] = sum;
  state[at + 1] = (state[at + 1] ?? 0) + high + (sum > 0xffffffff ? 1 : 0);
}

/** `state[at] = (state[at] ^ state[with]) >>> bits`, turned right within 64 bits. */
function turn(state: Uint32Array, at: number, other: number, bits: number): void {
  const low = (state[at] ?? 0) ^ (state[other] ?? 0);
  const high = (state[at + 1] ?? 0) ^ (state[other + 1] ?? 0);
  const [from, to] = bits < 32 ? [low, high] : [high, low];
  const by = bits & 31;
  state[at] = by === 0 ? from : (from >>> by) | (to << (32 - by));
  state[at + 1] = by === 0 ? to : (to >>> by) | (from << (32 - by));
}
