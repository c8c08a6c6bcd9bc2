/** Opens disks in use for a backup, and keeps following the writes of those that are backed up again and again. */
import { join } from 'node:path';
import type { LiveDisks, LiveOpened, LiveOptions, PlatformDisk } from '../../types.ts';
import { type BlockGraph, type BlockNode, readBlockGraph } from '../blockGraph.ts';
import { type Roots, readText } from '../roots.ts';
import { chooseLiveMethod, type LiveFacts } from './chooseLiveMethod.ts';
import { type LiveLibc, liveLibc } from './libc.ts';
import { liveSource, type Scope, type Tracker, track, wantedVolumes } from './openLiveSource.ts';
import { whyNoTracing } from './traceInstance.ts';
import { type DiskVolumes, mountIdOf, volumesOf } from './volumes.ts';

interface Kept {
  /** Changes when the disk is another one, even under the same name. */
  readonly identity: string;
  readonly tracker: Tracker;
}

interface State {
  readonly roots: Roots;
  readonly kept: Map<string, Kept>;
  holding: number;
  waiting: (() => void)[];
}

export function linuxLiveDisks(roots: Roots): LiveDisks {
  const state: State = { roots, kept: new Map(), holding: 0, waiting: [] };
  return {
    open: (disk, options) => open(state, disk, options),
    whenLetGo: () => (state.holding === 0 ? Promise.resolve() : new Promise((resolve) => state.waiting.push(resolve))),
    isHolding: () => state.holding > 0,
    close() {
      for (const { tracker } of state.kept.values()) tracker.trace.close();
      state.kept.clear();
    },
  };
}

async function open(state: State, disk: PlatformDisk, options: LiveOptions): Promise<LiveOpened> {
  const { roots } = state;
  const libc = process.getuid?.() === 0 ? await liveLibc() : null;
  const graph = await readBlockGraph(roots);
  const found = await scopeOf(state, graph, disk);
  if (found === null) return openOther(roots, graph, disk);
  const { scope, identity } = found;
  const wanted = { scope, ...(options.partitions && { partitions: options.partitions }) };
  const view = await wantedVolumes(roots, wanted);
  if (view.volumes.length === 0 && view.elsewhere.length === 0) return { kind: 'idle' };
  const tracking = await trackerFor(state, { libc, scope, identity, disk, bufferKib: options.bufferKib });
  const choice = chooseLiveMethod({ ...factsOf(view, options), ...noHold(libc), ...tracking, sizeBytes: scope.sizeBytes });
  const tracker = tracking.tracker;
  const close = () => {
    if (tracker === null || options.keepFollowing) return;
    tracker.trace.close();
    state.kept.delete(disk.path);
  };
  if (choice.method === 'none' || libc === null) {
    close();
    return { kind: 'none', reasons: choice.method === 'none' ? choice.reasons : [] };
  }
  const source = liveSource({
    ...{ ...wanted, libc, roots, tracker, onHold: (isHeld: boolean) => hold(state, isHeld) },
    ...(options.holdAtMostMs === undefined ? {} : { deadlineMs: options.holdAtMostMs }),
  });
  return { kind: 'live', method: choice.method, source, warnings: choice.warnings, close };
}

function hold(state: State, isHeld: boolean): void {
  state.holding += isHeld ? 1 : -1;
  if (state.holding > 0) return;
  for (const resolve of state.waiting.splice(0)) resolve();
}

function noHold(libc: LiveLibc | null): Pick<LiveFacts, 'whyNoFreeze'> {
  if (libc !== null) return { whyNoFreeze: null };
  return { whyNoFreeze: process.getuid?.() === 0 ? 'koffi is not installed' : 'this needs root' };
}

async function scopeOf(
  { roots }: State,
  graph: BlockGraph,
  disk: PlatformDisk,
): Promise<{ scope: Scope; identity: string } | null> {
  const node = disk.path.startsWith('/dev/') ? graph.get(disk.path.slice('/dev/'.length)) : undefined;
  const whole: BlockNode | undefined = node?.parent ? graph.get(node.parent) : node;
  if (node === undefined || whole === undefined || whole.slaves.length > 0) return null;
  const [major = 0, minor = 0] = whole.number.split(':').map(Number);
  const startBytes = node.parent === null ? 0 : node.startBytes;
  const scope = {
    disk: whole.name,
    path: `/dev/${whole.name}`,
    dev: major * 2 ** 20 + minor,
    startBytes,
    sizeBytes: node.sizeBytes,
  };
  // Counts up whenever a disk is attached (kernel 5.15 and newer).
  const sequence = (await readText(join(roots.sys, 'block', whole.name, 'diskseq'))) ?? '';
  return { scope, identity: JSON.stringify([disk.key, disk.serial, sequence, scope]) };
}

/** A file, or a volume built on disks. */
async function openOther(roots: Roots, graph: BlockGraph, { path, use }: PlatformDisk): Promise<LiveOpened> {
  if (use.mounts.length === 0) return { kind: 'idle' };
  for (const node of graph.values()) {
    if (node.loop?.backingFile !== path) continue;
    if ((await volumesOf(roots, node.name)).volumes.length === 0) return { kind: 'idle' };
    return { kind: 'none', reasons: [`it is attached as /dev/${node.name}: back up that device`] };
  }
  return { kind: 'none', reasons: ['it is built on other disks (LVM, RAID, encryption): back up those'] };
}

interface Tracking {
  readonly libc: LiveLibc | null;
  readonly scope: Scope;
  readonly identity: string;
  readonly disk: PlatformDisk;
  readonly bufferKib: number | undefined;
}

/** One record per disk: that of the same disk goes on, that of another one under its name is thrown away. */
async function trackerFor(
  state: State,
  { libc, scope, identity, disk, bufferKib }: Tracking,
): Promise<{ tracker: Tracker | null; whyNoTrace: string | null }> {
  const known = state.kept.get(disk.path);
  if (known?.identity === identity) return { tracker: known.tracker, whyNoTrace: null };
  known?.tracker.trace.close();
  state.kept.delete(disk.path);
  if (libc === null) return { tracker: null, whyNoTrace: 'this needs root' };
  const why = whyNoTracing(libc) ?? (await isDirectAccess(state.roots, scope));
  if (why !== null) return { tracker: null, whyNoTrace: why };
  try {
    const tracker = track(scope, { libc, roots: state.roots, bufferKib });
    state.kept.set(disk.path, { identity, tracker });
    return { tracker, whyNoTrace: null };
  } catch (error) {
    return { tracker: null, whyNoTrace: error instanceof Error ? error.message : String(error) };
  }
}

async function isDirectAccess(roots: Roots, { disk }: Scope): Promise<string | null> {
  const dax = await readText(join(roots.sys, 'block', disk, 'queue/dax'));
  return dax === '1' ? 'programs write to it as to memory (DAX)' : null;
}

function factsOf(
  { volumes, elsewhere }: DiskVolumes,
  { writesTo }: LiveOptions,
): Pick<LiveFacts, 'volumes' | 'elsewhere' | 'written'> {
  const mountPointOf = (mounts: (typeof volumes)[number]['mounts']) => mounts[0]?.mountPoint ?? '';
  const written = writesTo.flatMap((path) => {
    const id = mountIdOf(path);
    const volume = volumes.find(({ mounts }) => mounts.some((mount) => mount.id === id));
    return volume === undefined ? [] : [{ path, mountPoint: mountPointOf(volume.mounts) }];
  });
  return {
    volumes: volumes.map(({ fsType, mounts, otherDisks }) => ({ mountPoint: mountPointOf(mounts), fsType, otherDisks })),
    elsewhere: elsewhere.map(({ device }) => device),
    written,
  };
}
