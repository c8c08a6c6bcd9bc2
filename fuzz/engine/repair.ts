/**
 * Gets behind checksums without knowing any format. A changed input fails a comparison of what was computed with what is stored. In a
 * second run that comparison is told to agree, and the stored value, found by the field it was read from, is overwritten with the
 * computed one. The input that results passes the check as it stands: nothing is switched off in the parser. The new bytes may
 * lie under another checksum, so this is repeated until nothing differs.
 */
import type { Image } from './image.ts';
import type { Patch } from './input.ts';
import { comparing } from './runtime.ts';
import { currentTrace, type Field, type Trace } from './trace.ts';

const SEARCHED_READS = 64;
const MAX_SEARCHED_BYTES = 1 << 20;

let mismatches = 0;
let repairing: { image: Image; patches: Patch[]; onRepair: (patches: readonly Patch[]) => void } | null = null;

/** How often checksums differed since this was asked last. */
export function takeMismatches(): number {
  const count = mismatches;
  mismatches = 0;
  return count;
}

export interface Repairing {
  /** Runs the parser, traced. */
  readonly action: () => Promise<unknown>;
  /** Told of all repairs so far at each, as the parser may never come back from what it reads next. */
  readonly onRepair: (patches: readonly Patch[]) => void;
}

/** Runs the parser with every checksum that differs made right; returns what has to be written for that. */
export async function repaired(image: Image, { action, onRepair }: Repairing): Promise<Patch[]> {
  const patches: Patch[] = [];
  repairing = { image, patches, onRepair };
  try {
    await action();
  } finally {
    repairing = null;
  }
  return patches;
}

export function installRepair(): void {
  comparing.onMismatch = (left, right) => {
    if (!isNumber(left) || !isNumber(right)) return false;
    mismatches += 1;
    const trace = currentTrace();
    if (repairing === null || trace === null) return false;
    const found = numberPatches(trace, repairing.image, { stored: Number(right), computed: Number(left) });
    const patches = found ?? numberPatches(trace, repairing.image, { stored: Number(left), computed: Number(right) });
    return patches !== null && repair(patches);
  };
  const original = Buffer.prototype.equals;
  Buffer.prototype.equals = function equals(this: Buffer, other: Uint8Array): boolean {
    if (original.call(this, other)) return true;
    // Shorter ones are magics and the like.
    if (this.length !== other.length || this.length < 4) return false;
    mismatches += 1;
    const trace = currentTrace();
    if (repairing === null || trace === null) return false;
    const [mine, theirs] = [trace.origin(this, 0), trace.origin(other, 0)];
    if (mine >= 0 === theirs >= 0) return false;
    return repair([mine >= 0 ? { at: mine, bytes: Uint8Array.from(other) } : { at: theirs, bytes: Uint8Array.from(this) }]);
  };
}

function repair(patches: readonly Patch[]): boolean {
  repairing?.patches.push(...patches);
  repairing?.onRepair(repairing.patches);
  return true;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Null when it is not known where the stored value stands. */
function numberPatches(trace: Trace, image: Image, pair: { stored: number; computed: number }): Patch[] | null {
  const field = trace.fields.findLast(({ value, width }) => value === pair.stored && width > 1);
  if (field) {
    const at = place(field, trace, image);
    return at < 0 ? null : [{ at, bytes: bytesOf(pair.computed, field) }];
  }
  // Some formats keep the halves of a checksum apart.
  const halves = [pair.stored % 65_536, Math.floor(pair.stored / 65_536)];
  const fields = halves.map((half) => trace.fields.findLast(({ value, width }) => value === half && width === 2));
  const [low, high] = fields;
  if (pair.stored < 65_536 || !low || !high) return null;
  const [lowAt, highAt] = [place(low, trace, image), place(high, trace, image)];
  if (lowAt < 0 || highAt < 0) return null;
  return [
    { at: lowAt, bytes: bytesOf(pair.computed % 65_536, low) },
    { at: highAt, bytes: bytesOf(Math.floor(pair.computed / 65_536), high) },
  ];
}

function bytesOf(value: number, { width, bigEndian }: Field): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let index = 0, rest = value; index < width; index++, rest = Math.floor(rest / 256)) {
    bytes[bigEndian ? width - 1 - index : index] = rest % 256;
  }
  return bytes;
}

/** A field read from a copy is looked for, by what stands around it, in what was read of the image last. */
function place(field: Field, trace: Trace, image: Image): number {
  if (field.at >= 0 || field.around === null || field.around.bytes.length < 8) return field.at;
  let searched = 0;
  for (const read of trace.reads.slice(-SEARCHED_READS).reverse()) {
    searched += read.length;
    if (searched > MAX_SEARCHED_BYTES) return -1;
    const found = image.slice(read.at, read.length).indexOf(field.around.bytes);
    if (found >= 0) return read.at + found + field.around.before;
  }
  return -1;
}
