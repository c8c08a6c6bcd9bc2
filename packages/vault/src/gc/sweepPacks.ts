/** [F25] 2–4: fence, decide once, remove. Every step may be done twice, by anyone, after a crash anywhere. */

import { VaultError } from '../errors.ts';
import { allocateKnownChunks, knownChunks, knownSlotsFor } from '../index/knownChunks.ts';
import { liveSegments } from '../index/liveSegments.ts';
import { packObjectName } from '../index/locationTable.ts';
import { encodeSegment, packsOfSegment, segmentObjectName } from '../index/segment.ts';
import { inLanes } from '../inLanes.ts';
import type { LeafEntry } from '../map/mapNodes.ts';
import { packKey, presentPacks } from '../vault/knownForRun.ts';
import { encodeGc, listGc, newestSwept, type PackVerdict, quarantineName, readVerdict, stepName } from './gcObjects.ts';
import { forEachEntry, type GcRun, headsOf, nullIfFull, soundSegments, tableFor } from './gcRun.ts';
import { removeUnlessLocked } from './removeObject.ts';
import { type NodePlace, type OpenedPoint, openPresentManifests, pointNames, walkPoints } from './walkPoints.ts';

/** A disk makes many removals durable in one go, a network has them under way together. */
const removedAtOnce = 16;

export interface Swept {
  readonly number: number;
  readonly packs: number;
  /** Doomed packs that the storage itself does not let go yet; a later run tries again. */
  readonly locked: number;
}

/** @throws VaultError `VAULT_DAMAGED`, `POINT_DAMAGED`: then nothing is removed. */
export async function sweepPacks(run: GcRun, number: number): Promise<Swept> {
  const { store, key } = run;
  const fence = stepName(number, 'sweep');
  await store.put(fence, encodeGc(fence, {}, key));
  const doom = await decideDoom(run, number);
  const doomed = new Set(doom.packs);
  // On a full disk the packs go first and make room: who meets a listed pack that is gone takes it for absent [F20].
  const replaced = await dropFromIndex(run, doomed).catch(nullIfFull);
  const locked = await removePacks(run, doom.packs);
  await removeSuperseded(run, replaced ?? (await dropFromIndex(run, doomed)));
  const swept = stepName(number, 'swept');
  await store.put(swept, encodeGc(swept, {}, key));
  await forgetCycles(run, number);
  return { number, packs: doom.packs.length - locked, locked };
}

/** Removed in any order: nothing in use lies in them. Returns how many the storage holds. */
async function removePacks({ store, options }: GcRun, packs: readonly string[]): Promise<number> {
  let locked = 0;
  await inLanes(removedAtOnce, packs, async (pack) => {
    options.signal?.throwIfAborted();
    if (!(await removeUnlessLocked(store, packObjectName(pack)))) locked += 1;
  });
  const { quarantined } = await listGc(store);
  for (const pack of packs) if (quarantined.has(pack)) await removeUnlessLocked(store, quarantineName(pack));
  return locked;
}

/** The doom is decided by whoever stores it first; all others obey. */
async function decideDoom(run: GcRun, number: number): Promise<PackVerdict> {
  const { store, key } = run;
  const name = stepName(number, 'doom');
  const there = await store.head(name);
  if (there === null) {
    const verdict = await judge(run, number);
    await store.put(name, encodeGc(name, { ...verdict }, key));
  }
  const doom = await readVerdict(store, name, key);
  // It must be the stored one that is obeyed: another sweeper may have spared more.
  if (doom === null) throw new VaultError('VAULT_DAMAGED', `${name} is damaged: nothing is removed on its word`);
  // Were the number done and forgotten by now, this doom would be one of its own, and packs it spares no more be in use again.
  if (newestSwept(await listGc(store)) >= number) {
    throw new VaultError('VAULT_SWEPT', 'another sweeper has finished this sweep; run again later', { retry: 'later' });
  }
  return doom;
}

async function judge(run: GcRun, number: number): Promise<PackVerdict> {
  const { store, key, config, keys } = run;
  const points = await pointNames(store);
  const witness = [...points.keys()].sort();
  const mark = await readVerdict(store, stepName(number, 'mark'), key);
  // A mark nobody can read dooms nothing; its number is used up.
  if (mark === null) return { packs: [], witness };
  const marked = new Set(mark.packs);
  const walked = new Set(mark.witness);
  const inMarked = await tableFor(run);
  await forEachEntry(run, (id, row) => {
    if (marked.has(row.name)) inMarked.claim(id);
  });
  let used = 0;
  const seen = new Set<string>();
  const use = (id: Buffer) => {
    if (inMarked.mark(id)) used += 1;
  };
  const walk = {
    readNodes: run.readChunks,
    enter: ({ id }: NodePlace) => {
      use(id);
      const before = seen.size;
      return seen.add(id.toString('latin1')).size > before;
    },
    onLeaf: (entries: readonly LeafEntry[]) => {
      for (const { chunk } of entries) if (chunk !== null) use(chunk);
    },
    signal: run.options.signal,
  };
  const names = [...points].filter(([id]) => !walked.has(id)).map(([, name]) => name);
  const since: OpenedPoint[] = [];
  for await (const point of openPresentManifests(store, names, { vaultId: config.vaultId, keys })) since.push(point);
  await walkPoints(walk, since);
  const spared = used === 0 ? new Set<string>() : await packsStillNeeded(run, { marked, inMarked, used });
  return { packs: mark.packs.filter((pack) => !spared.has(pack)), witness };
}

type Needed = { marked: ReadonlySet<string>; inMarked: ReturnType<typeof knownChunks>; used: number };

/** Marked packs with a chunk in use that no present pack outside the mark holds. */
async function packsStillNeeded(run: GcRun, { marked, inMarked, used }: Needed): Promise<Set<string>> {
  const present = await presentPacks(run.store);
  const { quarantined } = await listGc(run.store);
  const slots = knownSlotsFor(used);
  const elsewhere = knownChunks(allocateKnownChunks(slots), slots);
  await forEachEntry(run, (id, row) => {
    if (marked.has(row.name) || quarantined.has(row.name) || !inMarked.isMarked(id)) return;
    if (present.has(packKey(row.name, row.sizeBytes))) elsewhere.claim(id);
  });
  const needed = new Set<string>();
  await forEachEntry(run, (id, row) => {
    if (marked.has(row.name) && inMarked.isMarked(id) && !elsewhere.has(id)) needed.add(row.name);
  });
  return needed;
}

/** [F28] Writes what segments with doomed packs list besides; returns the names of those replaced. */
async function dropFromIndex(run: GcRun, doomed: ReadonlySet<string>): Promise<string[]> {
  const replaced: string[] = [];
  if (doomed.size === 0) return replaced;
  for await (const { name, segment } of soundSegments(run)) {
    if (!segment.packs.some((pack) => doomed.has(pack.name))) continue;
    replaced.push(name);
    const rest = packsOfSegment(segment).filter((pack) => !doomed.has(pack.name));
    const hash = name.slice(name.lastIndexOf('/') + 1);
    const next = encodeSegment(rest, run.key, [...new Set([hash, ...segment.superseded])].sort());
    await run.store.put(next.name, next.bytes);
  }
  return replaced;
}

async function removeSuperseded(run: GcRun, replaced: readonly string[]): Promise<void> {
  const gone = new Set(replaced);
  const { store, key } = run;
  const heads = await headsOf(run);
  for await (const { segment } of liveSegments({ store, ...key }, heads, () => {})) {
    for (const hash of segment.superseded) gone.add(segmentObjectName(hash));
  }
  const names = heads.map(({ name }) => name).filter((name) => gone.has(name));
  await inLanes(removedAtOnce, names, async (name) => {
    await removeUnlessLocked(store, name);
  });
}

/** Older numbers have nothing left to say: the newest fence stops whoever an older one would stop. */
async function forgetCycles(run: GcRun, number: number): Promise<void> {
  const { cycles } = await listGc(run.store);
  for (const cycle of cycles) {
    if (cycle.number >= number) continue;
    for (const step of cycle.steps) await removeUnlessLocked(run.store, stepName(cycle.number, step));
  }
}
