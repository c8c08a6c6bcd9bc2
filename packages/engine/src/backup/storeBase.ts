/** The first layer of an image: everything that is used, read from the disks or, where it is known not to have changed, remembered. */
import { type Extent, subtractExtents, sumBytes } from '@diskfleet/disk';
import type { PointWriter } from '@diskfleet/vault';
import { RecordList } from '../cut/fileRecords.ts';
import { type DiskPlan, extentsOf, touchedChunks } from '../cut/planFiles.ts';
import { decideTrust, sampleHolds, type Trust } from '../cut/trust.ts';
import { sizeText } from '../sizeText.ts';
import type { BackupRequest, Operation } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { compareDisks } from './compareDisks.ts';
import { overlayEntries } from './layers.ts';
import type { MemoryOfRun } from './memoryOfRun.ts';
import type { PlannedDisk } from './planDisk.ts';
import { planInThread } from './planInThread.ts';
import { planReuse, type Reuse, within } from './reuse.ts';
import type { ScannedDisk } from './scan.ts';
import { type Layer, SourceImage, storeGrid } from './sourceImage.ts';
import { mayCutFiles, storeFiles } from './storeFiles.ts';
import { copySums } from './sumsOfRun.ts';

export interface BaseInput {
  readonly request: BackupRequest;
  readonly memory: MemoryOfRun;
  readonly scanned: readonly ScannedDisk[];
  readonly pool: BackupPool;
  readonly writer: Pick<PointWriter, 'knows'>;
}

/** Where less than this came into use, it is not cut by files. */
const WORTH_A_WALK_BYTES = 64 * 1024 * 1024;

const unplanned: PlannedDisk = { plan: null, records: new Uint8Array() };

/** How one disk gets its first layer. */
interface DiskBase {
  readonly plan: DiskPlan | null;
  readonly reuse: Reuse;
  /** Null where metadata is not asked or says nothing. */
  readonly trust: Trust | null;
}

export async function storeBase(input: BaseInput, op: Operation): Promise<SourceImage> {
  const { request, memory, scanned, pool } = input;
  const believe = request.trustMetadata === true && request.memory !== undefined;
  const records = believe ? (memory.last?.notes ?? new Uint8Array()) : null;
  const remembered = new RecordList();
  const bases: DiskBase[] = [];
  const lessOf = await lessToRead(input, { believe }, op);
  for (const [index, one] of scanned.entries()) {
    const less = lessOf[index] ?? null;
    // Walking all files takes longer than reading a few changed pages.
    const walked = mayCutFiles(one, request) && (less === null || sumBytes(less.fresh) >= WORTH_A_WALK_BYTES);
    const { plan, records: found } = walked ? await planInThread(one, { request, records }, op) : unplanned;
    remembered.addAll(found);
    for (const note of plan?.notes ?? []) op.onLog?.({ level: 'info', text: `${one.disk.name}: ${note}` });
    if (less === null) bases.push(baseOf(input, { plan, index, believe }, op));
    else bases.push({ plan, reuse: less, trust: null });
  }
  memory.notes = believe ? remembered.encode() : new Uint8Array();
  const plans = bases.map(({ plan }) => plan);
  // A chunk of files is read whole when any byte of it is: its other pieces lie over what is remembered of them.
  const wanted = bases.map(({ plan, reuse, trust }) => plan && either(touchedChunks(plan, reuse.fresh), trust?.sample));
  const ofFiles = await storeFiles(pool, plans, wanted);
  const grid = await storeGrid(pool, {
    disks: bases.map(({ plan, reuse }, disk) => gridPart(reuse.read, plan, wanted[disk] ?? null)),
  });
  const image = new SourceImage();
  image.add((disk) => (scanned[disk]?.used.zeroExtents ?? []).map((extent) => ({ kind: 'zero' as const, ...extent })));
  image.add((disk) => overlayEntries(overlayEntries(bases[disk]?.reuse.kept() ?? [], ofFiles(disk)), grid(disk)));
  for (const [index, { disk }] of scanned.entries()) {
    if (sampleIsSound(input, { base: bases[index], index, read: ofFiles })) continue;
    const text = `${disk.name}: files have changed although their metadata says they have not. All of them are read; back up without trusting metadata.`;
    image.warnings.push(text);
    op.onLog?.({ level: 'warning', text });
    image.add(
      await storeFiles(
        pool,
        plans.map((plan, other) => (other === index ? plan : null)),
        bases.map(({ trust }) => trust?.trusted ?? null),
      ),
    );
  }
  return image;
}

/** What of `read` is in no chunk of files that is read. */
function gridPart(read: readonly Extent[], plan: DiskPlan | null, wanted: Uint8Array | null): readonly Extent[] {
  return plan === null || wanted === null ? read : subtractExtents(read, extentsOf(plan, wanted));
}

function either(one: Uint8Array, other: Uint8Array | undefined): Uint8Array {
  return other === undefined ? one : one.map((flag, index) => flag | (other[index] ?? 0));
}

function sampleIsSound({ memory: { last } }: BaseInput, of: { base: DiskBase | undefined; index: number; read: Layer }): boolean {
  if (last === null || !of.base?.plan || of.base.trust === null) return true;
  return sampleHolds(of.base.plan, of.base.trust, { before: last.entries(of.index), now: of.read(of.index) });
}

/** Per disk what is to be read of it, where it can be known without asking its filesystems; null where it cannot. */
async function lessToRead(
  input: BaseInput,
  { believe }: { readonly believe: boolean },
  op: Operation,
): Promise<readonly (Reuse | null)[]> {
  const { memory, scanned, pool } = input;
  const { last, sums } = memory;
  if (last === null) return scanned.map(() => null);
  const counted = await Promise.all(scanned.map(({ disk }) => disk.live?.changesSince(last.pointId) ?? null));
  const isCompared = (disk: number) => counted[disk] === null && !believe && sums !== null && sums.before !== null;
  const differing = scanned.some((_, disk) => isCompared(disk))
    ? await compareDisks(
        pool,
        scanned.map(({ used }, disk) => ({
          used: isCompared(disk) ? used.usedExtents : [],
          map: isCompared(disk) ? last.records(disk) : new SharedArrayBuffer(0),
        })),
      )
    : [];
  return scanned.map((one, index) => {
    const how = isCompared(index) ? 'piece by piece compared' : 'writes were counted';
    const changed = counted[index] ?? (isCompared(index) ? differing[index] : null) ?? null;
    if (changed === null) return null;
    const reuse = reuseOf(input, index, changed);
    if (sums !== null && !isCompared(index)) copySums(sums, index, subtractExtents(one.used.usedExtents, reuse.read));
    sayReuse(one, { how, since: last.pointId, reuse }, op);
    return reuse;
  });
}

function reuseOf({ memory: { last }, scanned, writer }: BaseInput, index: number, changed: readonly Extent[]): Reuse {
  const used = scanned[index]?.used;
  return planReuse({
    sizeBytes: used?.layout.sizeBytes ?? 0,
    used: used?.usedExtents ?? [],
    changed,
    has: (chunkId) => writer.knows(chunkId),
    entries: () => last?.entries(index) ?? [],
  });
}

function baseOf(
  { memory: { last, sums }, scanned, writer }: BaseInput,
  { plan, index, believe }: { readonly plan: DiskPlan | null; readonly index: number; readonly believe: boolean },
  op: Operation,
): DiskBase {
  const one = scanned[index];
  const used = one?.used.usedExtents ?? [];
  const everything: Reuse = { fresh: used, read: used, kept: () => [] };
  if (last === null || one === undefined || plan === null || !believe) return { plan, reuse: everything, trust: null };
  const entries = () => last.entries(index);
  const has = (chunkId: Uint8Array) => writer.knows(chunkId);
  const trust = decideTrust(plan, { entries, has, seed: last.pointId });
  const trusted = extentsOf(plan, trust.trusted);
  const rest = subtractExtents(used, trusted);
  if (sums !== null) copySums(sums, index, subtractExtents(used, rest));
  const reuse: Reuse = { fresh: rest, read: rest, kept: () => within(entries(), trusted) };
  sayReuse(one, { how: 'files were told apart by their metadata', since: last.pointId, reuse }, op);
  return { plan, reuse, trust };
}

function sayReuse(
  { disk, used }: ScannedDisk,
  { how, since, reuse }: { readonly how: string; readonly since: string; readonly reuse: Reuse },
  op: Operation,
): void {
  const sizes = `${sizeText(sumBytes(reuse.read))} of ${sizeText(used.usedBytes)} are read.`;
  op.onLog?.({ level: 'info', text: `${disk.name}: ${how} since ${since}; ${sizes}` });
}
