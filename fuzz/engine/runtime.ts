/** What instrumented code counts into. Imported before any parser, so that it is there when their modules begin. */

/** More than any target has branches. */
export const COUNTERS = 1 << 15;

/** Saturating: a loop of 256 rounds is not one of none. */
export const counters = new Uint8ClampedArray(COUNTERS);

interface Comparing {
  /** Asked for every comparison that looks like that of a checksum, when the sides differ. True: go on as if they agreed. */
  onMismatch: (left: unknown, right: unknown) => boolean;
}

export const comparing: Comparing = { onMismatch: () => false };

function compared(left: unknown, right: unknown): boolean {
  return left === right || comparing.onMismatch(left, right);
}

Object.assign(globalThis, { __fuzz: { c: counters, k: compared } });
