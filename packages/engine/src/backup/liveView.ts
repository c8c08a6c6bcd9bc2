/**
 * One moment of disks that are being written. Read everything, then again and again what was written meanwhile, until so little is left
 * that it can be taken aside in memory while the platform holds the writers still. Nothing is stored while they wait: the vault may lie on
 * the very filesystem that is frozen.
 *
 * Why it is one moment: every block of the image was read after its last write before the freeze; what was written between a read and
 * the freeze is told by `takeChanges` and read again.
 */
import type { Extent } from '@diskfleet/disk';
import { alignedBuffer } from '@diskfleet/disk';
import { EngineError } from '../errors.ts';
import { sizeText } from '../sizeText.ts';
import type { FrozenSource, LiveSource, Operation } from '../types.ts';
import type { BackupPool } from './backupPool.ts';
import { CELL_BYTES, cutGrid, type Grid, loadRegion, REGION_CELLS } from './grid.ts';
import { holeFinder } from './holes.ts';
import { type DiskState, rereadAfter } from './reread.ts';
import { type SourceImage, storeGrid } from './sourceImage.ts';
import { SourceReader, type SourceToRead } from './sourceReader.ts';

/** Most that is taken aside while writers wait: a tenth of a second of an SSD, and all the memory it costs. */
const CAPTURE_BYTES = 64 * 1024 * 1024;
/** And no more memory than this, a whole cell for each that is touched. */
const CAPTURE_CELLS = 512;
/** Below this another pass is not worth its time. */
const LITTLE_BYTES = 16 * 1024 * 1024;
const MAX_PASSES = 8;
const MAX_FREEZES = 4;

/** A disk of the run; `live` is null where nobody writes. */
export interface ViewedDisk {
  readonly source: SourceToRead;
  readonly live: LiveSource | null;
  state: DiskState;
}

/** The record of what was lost: thrown and caught inside the package, the caller starts over. */
export class ViewLost extends Error {}

/** Pushes everything written so far to its final place: a map of used blocks read from now on knows all that was written before. */
export async function quiesce(lives: readonly (LiveSource | null)[]): Promise<void> {
  for (const live of lives) {
    if (live === null) continue;
    await live.takeChanges();
    await (await live.freeze()).thaw();
  }
}

export interface LiveRun {
  readonly disks: readonly ViewedDisk[];
  readonly pool: BackupPool;
  readonly image: SourceImage;
  readonly op: Operation;
}

/** Brings the image of live disks to one moment. @throws ViewLost, and what the pool throws */
export async function reachOneMoment(run: LiveRun): Promise<void> {
  if (run.disks.every(({ live }) => live === null)) return;
  let pending = await changed(run.disks);
  for (let freezes = 0, pass = 1; freezes < MAX_FREEZES; ) {
    const grid = cutGrid(pending);
    if (grid.usedBytes > LITTLE_BYTES && pass <= MAX_PASSES) {
      pass += 1;
      run.op.onLog?.({ level: 'info', text: `${sizeText(grid.usedBytes)} changed meanwhile and are read again.` });
      run.image.add(await storeGrid(run.pool, { disks: pending }));
      pending = await changed(run.disks);
      continue;
    }
    freezes += 1;
    const captured = await capture(run, pending);
    if (captured.kind === 'captured') {
      run.image.add(await storeGrid(run.pool, { disks: [], captured }));
      return;
    }
    // Too much at once, or let go before all was read: what is pending stays pending.
    pending = captured.pending;
    if (captured.kind === 'much') {
      run.image.add(await storeGrid(run.pool, { disks: pending }));
      pending = await changed(run.disks);
    }
  }
  throw new ViewLost('more is written than can be read');
}

/** Takes what was written since the last call and gives back what to read again, per disk; `state.used` grows by it. */
async function changed(disks: readonly ViewedDisk[], pending: readonly (readonly Extent[])[] = []): Promise<Extent[][]> {
  const result: Extent[][] = [];
  for (const [index, disk] of disks.entries()) {
    const changes = disk.live === null ? [] : await disk.live.takeChanges();
    if (changes === null) throw new ViewLost('some writes were not told');
    const { reread, used } = rereadAfter([...changes, ...(pending[index] ?? [])], disk.state);
    disk.state = { ...disk.state, used };
    result.push(reread);
  }
  return result;
}

type Capture =
  | { readonly kind: 'captured'; readonly grid: Grid; readonly memory: SharedArrayBuffer }
  | { readonly kind: 'much' | 'early'; readonly pending: Extent[][] };

/** Freezes all, reads what is pending and what came since, lets go. */
async function capture({ disks, op }: LiveRun, before: readonly (readonly Extent[])[]): Promise<Capture> {
  const holes = await holeFinder();
  const readers = disks.map(({ source }, disk) => new SourceReader(source, disk, holes));
  const region = alignedBuffer(CELL_BYTES * REGION_CELLS);
  const frozen: FrozenSource[] = [];
  let pending: Extent[][] = [];
  let taken: { grid: Grid; memory: SharedArrayBuffer } | null = null;
  let stoodStill = true;
  const startedAt = performance.now();
  try {
    for (const { live } of disks) if (live !== null) frozen.push(await live.freeze());
    pending = await changed(disks, before);
    const grid = cutGrid(pending);
    if (grid.usedBytes <= CAPTURE_BYTES && grid.cellCount <= CAPTURE_CELLS)
      taken = { grid, memory: readAside(grid, readers, region) };
  } finally {
    for (const one of frozen) stoodStill = (await one.thaw()) && stoodStill;
    for (const reader of readers) reader.close();
  }
  const elapsed = (performance.now() - startedAt) / 1000;
  const seconds = Math.max(...frozen.map((one) => one.heldSeconds?.() ?? elapsed)).toFixed(2);
  if (taken === null) return { kind: 'much', pending };
  if (!stoodStill) {
    op.onLog?.({ level: 'warning', text: `Holding still took too long (${seconds} s) and was ended early; trying again.` });
    return { kind: 'early', pending };
  }
  op.onLog?.({ level: 'info', text: `Held still for ${seconds} s; ${sizeText(taken.grid.usedBytes)} were read meanwhile.` });
  return { kind: 'captured', ...taken };
}

function readAside(grid: Grid, readers: readonly SourceReader[], buffer: Buffer): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(grid.cellCount * CELL_BYTES);
  const region = { disk: 0, firstCell: 0, cells: 0, firstOrdinal: 0, firstExtent: 0 };
  for (let index = 0; index < grid.regionCount; index++) {
    const { disk, firstCell, cells, firstOrdinal, firstExtent } = loadRegion(grid.regions, index, region);
    const reader = readers[disk];
    if (reader === undefined) throw new EngineError('WORKER_FAILED', `there is no disk number ${disk}`);
    const [base, end] = [firstCell * CELL_BYTES, (firstCell + cells) * CELL_BYTES];
    const bytes = new Uint8Array(memory, firstOrdinal * CELL_BYTES, cells * CELL_BYTES);
    const last = grid.firstExtentOfDisk[disk + 1] ?? 0;
    for (let extent = firstExtent; extent < last && (grid.extents[extent * 2] ?? 0) < end; extent++) {
      const from = Math.max(grid.extents[extent * 2] ?? 0, base);
      const to = Math.min(grid.extents[extent * 2 + 1] ?? 0, end);
      reader.read(buffer, base, { from, to });
      bytes.set(buffer.subarray(from - base, to - base), from - base);
    }
  }
  return memory;
}
