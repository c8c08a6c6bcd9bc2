/** The first layer of an image: everything that is used, read from the disks or, where it is known not to have changed, remembered. */
import { type Extent, subtractExtents, sumBytes } from '@diskfleet/disk';
import type { PointWriter } from '@diskfleet/vault';
import { RecordList } from '../cut/fileRecords.ts';
import { type DiskPlan, extentsOf, touchedChunks } from '../cut/planFiles.ts';
import { decideTrust, sampleHolds, type Trust } from '../cut/trust.ts';
import { sizeText } from '../sizeText.ts';
import type { BackupRequest, Operation } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { overlayEntries } from './layers.ts';
import type { MemoryOfRun } from './memoryOfRun.ts';
import type { PlannedDisk } from './planDisk.ts';
import { planInThread } from './planInThread.ts';
import { planReuse, type Reuse, within } from './reuse.ts';
import type { ScannedDisk } from './scan.ts';
import { type Layer, SourceImage, storeGrid } from './sourceImage.ts';
import { mayCutFiles, storeFiles } from './storeFiles.ts';

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
  for (const [index, one] of scanned.entries()) {
    const counted = await countedReuse(input, index, op);
    // Walking all files takes longer than reading a few changed pages.
    const walked = mayCutFiles(one, request) && (counted === null || sumBytes(counted.fresh) >= WORTH_A_WALK_BYTES);
    const { plan, records: found } = walked ? await planInThread(one, { request, records }, op) : unplanned;
    remembered.addAll(found);
    for (const note of plan?.notes ?? []) op.onLog?.({ level: 'info', text: `${one.disk.name}: ${note}` });
    bases.push(counted === null ? baseOf(input, { plan, index, believe }, op) : { plan, reuse: counted, trust: null });
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

/** What is to be read where the platform counted the writes since the remembered point; null where it did not. */
async function countedReuse(
  { memory: { last }, scanned, writer }: BaseInput,
  index: number,
  op: Operation,
): Promise<Reuse | null> {
  const one = scanned[index];
  if (last === null || one === undefined) return null;
  const changed = (await one.disk.live?.changesSince(last.pointId)) ?? null;
  if (changed === null) return null;
  const { usedExtents: used, layout } = one.used;
  const entries = () => last.entries(index);
  const has = (chunkId: Uint8Array) => writer.knows(chunkId);
  const reuse = planReuse({ sizeBytes: layout.sizeBytes, used, changed, has, entries });
  sayReuse(one, { how: 'writes were counted', since: last.pointId, reuse }, op);
  return reuse;
}

function baseOf(
  { memory: { last }, scanned, writer }: BaseInput,
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
