/**
 * A disk in use as the engine wants it (`LiveSource`): the trace tells what is written, the freeze makes the moment. The record of
 * writes may go on between backups: then it is a changed-block map. It lives in this process alone, so it is never older than the
 * running system and never resumed after a gap.
 */
import type { Extent } from '@diskfleet/disk';
import type { FrozenSource, LiveSource } from '@diskfleet/engine';
import { AgentError } from '../../../errors.ts';
import { type Roots, readText } from '../roots.ts';
import { ChangeLog } from './changeLog.ts';
import { canFreeze } from './chooseLiveMethod.ts';
import { freezeVolumes, type HeldVolumes } from './freezeVolumes.ts';
import type { LiveLibc } from './libc.ts';
import { traceWrites, type WriteTrace } from './traceWrites.ts';
import { type DiskVolumes, type Volume, volumesOf } from './volumes.ts';

/** The bytes that are backed up: a whole disk, or one partition of it. */
export interface Scope {
  /** Kernel name of the whole disk. */
  readonly disk: string;
  /** Device node of the whole disk. */
  readonly path: string;
  /** Major << 20 | minor of the whole disk. */
  readonly dev: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/** Which volumes a backup is about. */
export interface Wanted {
  readonly scope: Scope;
  /** Numbers of the partitions whose content is taken; absent: all. */
  readonly partitions?: readonly number[];
}

/** Follows the writes inside a scope, from now until it is closed. */
export interface Tracker {
  readonly scope: Scope;
  readonly log: ChangeLog;
  readonly trace: WriteTrace;
  /** Called with ranges of the scope as they are told; null: nobody cares. */
  watcher: ((range: Extent) => void) | null;
}

export interface TrackOptions {
  readonly libc: LiveLibc;
  readonly roots: Roots;
  readonly bufferKib: number | undefined;
}

/** @throws Error in words when the writes cannot be followed */
export function track(scope: Scope, { libc, roots, bufferKib }: TrackOptions): Tracker {
  const log = new ChangeLog(scope.sizeBytes);
  const trace = traceWrites({
    libc,
    proc: roots.proc,
    path: scope.path,
    dev: scope.dev,
    ...(bufferKib === undefined ? {} : { bufferKib }),
    onLost: () => log.lose(),
    onChange({ offsetBytes, lengthBytes }) {
      const start = Math.max(offsetBytes - scope.startBytes, 0);
      const end = Math.min(offsetBytes + lengthBytes - scope.startBytes, scope.sizeBytes);
      if (start >= end) return;
      const range = { offsetBytes: start, lengthBytes: end - start };
      log.add(range);
      tracker.watcher?.(range);
    },
  });
  const tracker: Tracker = { scope, log, trace, watcher: null };
  return tracker;
}

export interface LiveSourceOptions extends Wanted {
  readonly libc: LiveLibc;
  readonly roots: Roots;
  /** Null: too small to need one; everything is told as changed, so that it is read while writers are held. */
  readonly tracker: Tracker | null;
  /** Told when the first volume is about to be held, and when all are let go. */
  readonly onHold?: (isHeld: boolean) => void;
  readonly deadlineMs?: number;
}

export function liveSource(options: LiveSourceOptions): LiveSource {
  const { tracker, scope } = options;
  const everything = [{ offsetBytes: 0, lengthBytes: scope.sizeBytes }];
  if (tracker !== null) {
    tracker.trace.drain();
    tracker.log.start();
  }
  return {
    async takeChanges() {
      if (tracker === null) return everything;
      // After a loss the log says so itself.
      tracker.trace.drain();
      return tracker.log.take();
    },
    freeze: () => freeze(options),
    async changesSince(pointId) {
      tracker?.trace.drain();
      return tracker?.log.since(pointId) ?? null;
    },
    async keep(pointId) {
      tracker?.trace.drain();
      tracker?.log.keep(pointId);
    },
  };
}

async function freeze(options: LiveSourceOptions): Promise<FrozenSource> {
  const { libc, roots, scope, tracker, deadlineMs } = options;
  const mountsBefore = await mountTable(roots);
  const view = await wantedVolumes(roots, options);
  if (view.elsewhere.length > 0 || view.volumes.some(({ otherDisks }) => otherDisks.length > 0)) {
    throw new AgentError('FREEZE_FAILED', `volumes of ${scope.disk} that cannot be held were mounted meanwhile`);
  }
  options.onHold?.(true);
  let held: HeldVolumes | null = null;
  try {
    held = await freezeVolumes(view.volumes, { libc, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
    // Every write that reached the disk before this moment is told before it; the log says so itself when one is not.
    await tracker?.trace.drainAll();
    if ((await mountTable(roots)) !== mountsBefore && !sameVolumes(view, await wantedVolumes(roots, options))) {
      throw new AgentError('FREEZE_FAILED', `volumes of ${scope.disk} were mounted or unmounted meanwhile`, { retry: 'later' });
    }
  } catch (error) {
    await held?.thaw();
    options.onHold?.(false);
    throw error;
  }
  tracker?.log.cut();
  const stillness = watch(view.volumes, tracker);
  const { thaw, heldSeconds } = held;
  return {
    heldSeconds,
    async thaw() {
      const undisturbed = stillness.end();
      const inTime = await thaw();
      options.onHold?.(false);
      return inTime && undisturbed;
    },
  };
}

/** Volumes that cannot be frozen must not be written to while the others are; `end` tells whether that was so. */
function watch(volumes: readonly Volume[], tracker: Tracker | null): { end(): boolean } {
  const scopeStart = tracker?.scope.startBytes ?? 0;
  const places = volumes.flatMap(({ fsType, place }) => (place === null || canFreeze(fsType) ? [] : [place]));
  if (tracker === null || places.length === 0) return { end: () => true };
  let touched = false;
  tracker.watcher = ({ offsetBytes, lengthBytes }) => {
    const start = offsetBytes + scopeStart;
    touched ||= places.some((place) => start < place.startBytes + place.sizeBytes && start + lengthBytes > place.startBytes);
  };
  return {
    end() {
      const complete = tracker.trace.drain();
      tracker.watcher = null;
      return complete && !touched;
    },
  };
}

/** Volumes of partitions that are left out are neither held nor asked about. */
export async function wantedVolumes(roots: Roots, { scope, partitions }: Wanted): Promise<DiskVolumes> {
  const { volumes, elsewhere } = await volumesOf(roots, scope.disk);
  const end = scope.startBytes + scope.sizeBytes;
  const isInside = ({ place }: Volume) =>
    place === null || (place.startBytes < end && place.startBytes + place.sizeBytes > scope.startBytes);
  const isTaken = ({ partition }: { readonly partition: number | null }) =>
    partition === null || partitions === undefined || partitions.includes(partition);
  return { volumes: volumes.filter((one) => isInside(one) && isTaken(one)), elsewhere: elsewhere.filter(isTaken) };
}

function sameVolumes(a: DiskVolumes, b: DiskVolumes): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

async function mountTable(roots: Roots): Promise<string> {
  return (await readText(`${roots.proc}/self/mountinfo`)) ?? '';
}
