/** [F21] [F24] [F25] The objects under `gc/`: their names, their bytes, and what a listing of them says. */
import * as z from 'zod';
import { openText, sealText } from '../config/checkedText.ts';
import { VaultError } from '../errors.ts';
import { deriveKey, hmac } from '../keys/derive.ts';
import type { Store } from '../types.ts';

export interface GcKey {
  readonly vaultId: string;
  readonly idKey: Uint8Array;
}

const steps = ['mark', 'sweep', 'doom', 'swept'] as const;
export type GcStep = (typeof steps)[number];

/** Which packs, and which points were looked at to find out. */
export interface PackVerdict {
  readonly packs: readonly string[];
  readonly witness: readonly string[];
}

/** One number: which of its objects are there. */
export interface GcCycle {
  readonly number: number;
  readonly steps: ReadonlySet<GcStep>;
  /** When the mark was received, by the store's clock. */
  readonly markedAtMs: number | null;
}

export interface GcListing {
  /** Ascending. */
  readonly cycles: readonly GcCycle[];
  /** Ids of points that were removed on purpose, and when by the store's clock. */
  readonly removed: ReadonlyMap<string, number | null>;
  /** Hex names of packs known to be damaged. */
  readonly quarantined: ReadonlySet<string>;
}

export function stepName(number: number, step: GcStep): string {
  return `gc/${String(number).padStart(16, '0')}-${step}`;
}
export function removedName(pointId: string): string {
  return `gc/removed-${pointId}`;
}
export function quarantineName(pack: string): string {
  return `gc/quarantine-${pack}`;
}

export async function listGc(store: Store): Promise<GcListing> {
  const found = new Map<number, { steps: Set<GcStep>; markedAtMs: number | null }>();
  const removed = new Map<string, number | null>();
  const quarantined = new Set<string>();
  for await (const { name, storedAtMs } of store.list('gc/')) {
    const point = /^gc\/removed-([0-9a-f]{32})$/.exec(name)?.[1];
    if (point !== undefined) removed.set(point, storedAtMs ?? null);
    const pack = /^gc\/quarantine-([0-9a-f]{64})$/.exec(name)?.[1];
    if (pack !== undefined) quarantined.add(pack);
    const [, digits, word] = /^gc\/(\d{16})-([a-z]+)$/.exec(name) ?? [];
    const step = steps.find((one) => one === word);
    if (digits === undefined || step === undefined) continue;
    const cycle = found.get(Number(digits)) ?? { steps: new Set<GcStep>(), markedAtMs: null };
    cycle.steps.add(step);
    if (step === 'mark') cycle.markedAtMs = storedAtMs ?? null;
    found.set(Number(digits), cycle);
  }
  const cycles = [...found].map(([number, cycle]) => ({ number, ...cycle })).sort((a, b) => a.number - b.number);
  return { cycles, removed, quarantined };
}

/** 0: none. */
export function newestSwept({ cycles }: GcListing): number {
  return cycles.findLast((cycle) => cycle.steps.has('swept'))?.number ?? 0;
}

/**
 * The number that was begun and is not done, if any. What stands under a number below the newest swept one was written by a sweeper
 * that slept until its number was done and forgotten: writers of today do not heed it, so nobody may act on it.
 */
export function openCycle(listing: GcListing): GcCycle | null {
  const done = newestSwept(listing);
  return listing.cycles.find((cycle) => cycle.number > done) ?? null;
}

export function encodeGc(name: string, fields: Readonly<Record<string, unknown>>, key: GcKey): Buffer {
  const kind = name.slice(name.lastIndexOf('/') + 1).split('-')[/\d{16}-/.test(name) ? 1 : 0];
  const value = { format: 'diskfleet-gc', version: 1, vaultId: key.vaultId, kind, ...fields };
  return sealText({ ...value, mac: macOf(name, value, key) });
}

function macOf(name: string, value: unknown, key: GcKey): string {
  return hmac(deriveKey(key.idKey, key.vaultId, 'gc'), name, Buffer.of(0), JSON.stringify(value)).toString('hex');
}

const shape = z.looseObject({ format: z.literal('diskfleet-gc'), version: z.literal(1), vaultId: z.string(), mac: z.string() });
const verdictShape = z.object({ packs: z.array(z.string()), witness: z.array(z.string()) });

/** [F21] A mark names every pack it takes (67 bytes each, see `maxMarkedPacks`) and, like a doom, every point (35 bytes each). */
const largestGcBytes = 64 << 20;

/** Whether this version knows what the object is; others belong to a later sweeper. */
export function isGcName(name: string): boolean {
  return /^gc\/(\d{16}-(mark|sweep|doom|swept)|removed-[0-9a-f]{32}|quarantine-[0-9a-f]{64})$/.test(name);
}

/** @throws VaultError `VAULT_DAMAGED` when it is damaged or, as far as `key` tells, forged. */
export function openGc(bytes: Buffer, name: string, key: GcKey | null): unknown {
  const parsed = shape.safeParse(openText(bytes, name, largestGcBytes));
  if (!parsed.success) throw new VaultError('VAULT_DAMAGED', `${name} is not what its name says`);
  const { mac, ...value } = parsed.data;
  if (key !== null && (value.vaultId !== key.vaultId || mac !== macOf(name, value, key))) {
    throw new VaultError('VAULT_DAMAGED', `${name} was not written by a program that may sweep this vault`);
  }
  return value;
}

/** Null when it is absent, damaged or forged. @throws VaultError what the store throws. */
async function readGc(store: Store, name: string, key: GcKey): Promise<unknown> {
  try {
    return openGc(await store.get(name), name, key);
  } catch (cause) {
    if (cause instanceof VaultError && (cause.code === 'VAULT_DAMAGED' || cause.code === 'VAULT_OBJECT_MISSING')) return null;
    throw cause;
  }
}

export async function readVerdict(store: Store, name: string, key: GcKey): Promise<PackVerdict | null> {
  const parsed = verdictShape.safeParse(await readGc(store, name, key));
  return parsed.success ? parsed.data : null;
}

/** [F27] Tells points that came too late; `null` while nothing was ever doomed. */
export interface VoidRule {
  readonly number: number;
  readonly witness: ReadonlySet<string>;
}

export async function readVoidRule(store: Store, listing: GcListing, key: GcKey): Promise<VoidRule | null> {
  const doomed = listing.cycles.filter((cycle) => cycle.steps.has('doom')).at(-1);
  const doom = doomed === undefined ? null : await readVerdict(store, stepName(doomed.number, 'doom'), key);
  return doomed === undefined || doom === null ? null : { number: doomed.number, witness: new Set(doom.witness) };
}

export function isVoid(rule: VoidRule | null, pointId: string, gcSeen: number | undefined): boolean {
  return rule !== null && (gcSeen ?? 0) < rule.number && !rule.witness.has(pointId);
}
