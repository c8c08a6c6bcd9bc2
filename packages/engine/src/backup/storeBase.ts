/** The first layer of an image: everything that is used, read from the disks or, where it is known not to have changed, remembered. */
import { type Extent, intersectExtents, subtractExtents, sumBytes } from '@diskfleet/disk';
import { KnownRecords, RecordList } from '../cut/fileRecords.ts';
import { type DiskPlan, extentsOf, touchedChunks } from '../cut/planFiles.ts';
import { decideTrust, sampleHolds, type Trust } from '../cut/trust.ts';
import { sizeText } from '../sizeText.ts';
import type { BackupRequest, Operation } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { overlayEntries } from './layers.ts';
import type { MemoryOfRun } from './memoryOfRun.ts';
import { planReuse, type Reuse, within } from './reuse.ts';
import type { ScannedDisk } from './scan.ts';
import { type Layer, SourceImage, storeGrid } from './sourceImage.ts';
import { planDisk, storeFiles } from './storeFiles.ts';

export interface BaseInput {
  readonly request: BackupRequest;
  readonly memory: MemoryOfRun;
  readonly scanned: readonly ScannedDisk[];
  readonly pool: BackupPool;
}

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
  const files = believe ? { known: new KnownRecords(memory.last?.notes ?? Buffer.alloc(0)), list: new RecordList() } : null;
  const bases: DiskBase[] = [];
  for (const [index, one] of scanned.entries()) {
    const plan = await planDisk(one, request, files);
    for (const note of plan?.notes ?? []) op.onLog?.({ level: 'info', text: `${one.disk.name}: ${note}` });
    bases.push(await baseOf(input, { plan, index, believe }, op));
  }
  memory.notes = files?.list.encode() ?? new Uint8Array();
  const plans = bases.map(({ plan }) => plan);
  // A chunk of files is read whole when any byte of it is: its other pieces lie over what is remembered of them.
  const wanted = bases.map(({ plan, reuse, trust }) => plan && either(touchedChunks(plan, reuse.unknown), trust?.sample));
  const ofFiles = await storeFiles(pool, plans, wanted);
  const grid = await storeGrid(pool, { disks: bases.map(({ plan, reuse }) => gridPart(reuse.read, plan)) });
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

function gridPart(read: readonly Extent[], plan: DiskPlan | null): readonly Extent[] {
  return plan === null ? read : intersectExtents(read, plan.others);
}

function either(one: Uint8Array, other: Uint8Array | undefined): Uint8Array {
  return other === undefined ? one : one.map((flag, index) => flag | (other[index] ?? 0));
}

function sampleIsSound({ memory: { last } }: BaseInput, of: { base: DiskBase | undefined; index: number; read: Layer }): boolean {
  if (last === null || !of.base?.plan || of.base.trust === null) return true;
  return sampleHolds(of.base.plan, of.base.trust, { before: last.entries(of.index), now: of.read(of.index) });
}

async function baseOf(
  { memory: { last, has }, scanned }: BaseInput,
  { plan, index, believe }: { readonly plan: DiskPlan | null; readonly index: number; readonly believe: boolean },
  op: Operation,
): Promise<DiskBase> {
  const one = scanned[index];
  const used = one?.used.usedExtents ?? [];
  const everything: Reuse = { unknown: used, read: used, kept: () => [] };
  if (last === null || one === undefined) return { plan, reuse: everything, trust: null };
  const entries = () => last.entries(index);
  const say = (how: string, unread: Reuse) => {
    const sizes = `${sizeText(sumBytes(unread.read))} of ${sizeText(one.used.usedBytes)} are read.`;
    op.onLog?.({ level: 'info', text: `${one.disk.name}: ${how} since ${last.pointId}; ${sizes}` });
  };
  const changed = (await one.disk.live?.changesSince(last.pointId)) ?? null;
  if (changed !== null) {
    const reuse = planReuse({ sizeBytes: one.used.layout.sizeBytes, used, changed, has, entries });
    say('writes were counted', reuse);
    return { plan, reuse, trust: null };
  }
  if (plan === null || !believe) return { plan, reuse: everything, trust: null };
  const trust = decideTrust(plan, { entries, has, seed: last.pointId });
  const trusted = extentsOf(plan, trust.trusted);
  const rest = subtractExtents(used, trusted);
  const reuse: Reuse = { unknown: rest, read: rest, kept: () => within(entries(), trusted) };
  say('files were told apart by their metadata', reuse);
  return { plan, reuse, trust };
}
