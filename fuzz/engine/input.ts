/** One thing to try: a seed image, how long it is made, and what is written over it. A few dozen bytes instead of megabytes. */
export interface Patch {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface Input {
  /** Name of the seed. */
  readonly seed: string;
  readonly sizeBytes: number;
  /** In this order; later ones win. */
  readonly patches: readonly Patch[];
}

export function encodeInput({ seed, sizeBytes, patches }: Input): string {
  return JSON.stringify({ seed, sizeBytes, patches: patches.map(({ at, bytes }) => [at, Buffer.from(bytes).toString('hex')]) });
}

/** @throws when it is no input: the files are ours, so nothing gentler is needed. */
export function decodeInput(text: string): Input {
  const { seed, sizeBytes, patches } = JSON.parse(text);
  if (typeof seed !== 'string' || !Number.isSafeInteger(sizeBytes) || !Array.isArray(patches))
    throw new Error('this is no input');
  return {
    seed,
    sizeBytes,
    patches: patches.map(([at, hex]: [number, string]) => ({ at, bytes: Buffer.from(hex, 'hex') })),
  };
}

/** The same bytes in fewer patches, by place. */
export function mergedPatches(patches: readonly Patch[]): Patch[] {
  const bytes = new Map<number, number>();
  for (const patch of patches) for (const [index, byte] of patch.bytes.entries()) bytes.set(patch.at + index, byte);
  const places = [...bytes.keys()].sort((left, right) => left - right);
  const merged: { at: number; bytes: number[] }[] = [];
  for (const at of places) {
    const last = merged.at(-1);
    if (last && last.at + last.bytes.length === at) last.bytes.push(bytes.get(at) ?? 0);
    else merged.push({ at, bytes: [bytes.get(at) ?? 0] });
  }
  return merged.map((patch) => ({ at: patch.at, bytes: Uint8Array.from(patch.bytes) }));
}
