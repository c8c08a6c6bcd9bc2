/**
 * Follows every finished write request of one whole disk through the kernel's tracing, with no driver and no LVM.
 *
 * Why nothing is missed. `block_rq_complete` fires once for each (part of a) request a driver finishes, with sectors of the whole
 * disk, before whoever waits for the request is woken. So when a freeze or fsync has returned, the records of its writes are in the
 * kernel's buffers, and reading those until they hold nothing has read them. What the kernel could not keep it counts, per
 * processor; what somebody else read, cleared or switched off shows as a count that is not ours. Any of it means lost.
 * Devices without a request queue of the kernel (device-mapper, md, zram, NVMe multipath) do not fire it: `start` reads a sector and
 * fails unless it sees itself doing so. While the PC sleeps another system may write to the disk (hibernation, a stick that was taken
 * out): having slept counts as lost, too. Commands sent past the block layer (SG_IO, NVMe passthrough) tell no place and are not seen.
 */
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { alignedBuffer, type Extent } from '@diskfleet/disk';
import type { LiveLibc } from './libc.ts';
import { makeTraceInstance, type TraceInstance } from './traceInstance.ts';
import { type Completion, changedBytes, readPage } from './tracePage.ts';

export interface WriteTrace {
  /**
   * Reads what the kernel has recorded until now. `false`: something before this was lost, and following begins anew here; when
   * it cannot begin anew, every later answer is `false`.
   */
  drain(): boolean;
  /** As `drain`, when all writers stand still: reads until the kernel says that it holds nothing more. */
  drainAll(): Promise<boolean>;
  close(): void;
}

export interface TraceOptions {
  readonly libc: LiveLibc;
  /** Where proc(5) is. */
  readonly proc: string;
  /** A device node of the whole disk. */
  readonly path: string;
  /** Major << 20 | minor. */
  readonly dev: number;
  /** Buffer for each processor; by default 64 MiB among all of them, 1 to 8 MiB each. */
  readonly bufferKib?: number;
  readonly onChange: (range: Extent) => void;
  /** Some writes before now are not known. */
  readonly onLost: () => void;
}

const IDLE_MS = 250;
const BUSY_MS = 20;
/** More than this in one look: look again soon. */
const BUSY_PAGES = 32;
const SETTLE_MS = 2_000;

/** @throws Error in words when the disk's writes cannot be followed */
export function traceWrites(options: TraceOptions): WriteTrace {
  let reader: Reader | null = startReader(options);
  const beginAnew = () => {
    reader?.close();
    reader = null;
    options.onLost();
    try {
      reader = startReader(options);
    } catch {
      // Every later answer is "lost".
    }
    return false;
  };
  const drain = () => {
    if (reader === null) {
      options.onLost();
      return false;
    }
    return reader.sweep().lost || !reader.isComplete() ? beginAnew() : true;
  };
  let timer: NodeJS.Timeout;
  const poll = () => {
    const swept = reader?.sweep();
    if (swept?.lost) beginAnew();
    timer = setTimeout(poll, (swept?.pages ?? 0) > BUSY_PAGES ? BUSY_MS : IDLE_MS).unref();
  };
  timer = setTimeout(poll, IDLE_MS).unref();
  return {
    drain,
    async drainAll() {
      const until = performance.now() + SETTLE_MS;
      while (drain()) {
        if (reader?.isEmpty()) return true;
        if (performance.now() > until) return beginAnew();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return false;
    },
    close() {
      clearTimeout(timer);
      reader?.close();
      reader = null;
    },
  };
}

interface Reader {
  /** Hands on what is there. */
  sweep(): { readonly pages: number; readonly lost: boolean };
  /** Nothing was dropped, and every record that left the kernel's buffers came to us. */
  isComplete(): boolean;
  /** The kernel holds no record we have not read. */
  isEmpty(): boolean;
  close(): void;
}

/** Uptime counts sleep, the monotonic clock does not; both are exact to a hundredth of a second. */
const SLEPT_SECONDS = 0.5;

function secondsSlept({ proc }: TraceOptions): number {
  return Number(readFileSync(join(proc, 'uptime'), 'utf8').split(' ')[0]) - Number(process.hrtime.bigint()) / 1e9;
}

interface CpuReader {
  readonly folder: string;
  readonly fd: number;
  /** Records read so far. */
  records: number;
}

function startReader(options: TraceOptions): Reader {
  const cpuCount = availableParallelism();
  const sleptBefore = secondsSlept(options);
  const bufferKib = options.bufferKib ?? Math.min(8192, Math.max(1024, Math.floor((64 * 1024) / cpuCount)));
  const instance = makeTraceInstance(bufferKib);
  const cpus: CpuReader[] = [];
  const close = () => {
    for (const { fd } of cpus) closeSync(fd);
    instance.remove();
  };
  try {
    for (const folder of instance.cpus) {
      const fd = openSync(join(folder, 'trace_pipe_raw'), constants.O_RDONLY | constants.O_NONBLOCK);
      cpus.push({ folder, fd, records: 0 });
    }
    const reader = readerOf(options, { instance, cpus, close, sleptBefore });
    proveItSees(options, { instance, cpus });
    instance.watch(options.dev, 'not reads');
    return reader;
  } catch (error) {
    close();
    throw error;
  }
}

interface Parts {
  readonly instance: TraceInstance;
  readonly cpus: readonly CpuReader[];
  readonly close: () => void;
  readonly sleptBefore: number;
}

function readerOf(options: TraceOptions, { instance, cpus, close, sleptBefore }: Parts): Reader {
  const onCompletion = (completion: Completion) => {
    const changed = completion.dev === options.dev ? changedBytes(completion) : null;
    if (changed !== null) options.onChange(changed);
  };
  return {
    sweep() {
      let [pages, lost] = [0, false];
      for (const cpu of cpus) {
        const swept = sweepCpu(options.libc, { cpu, instance, onCompletion });
        pages += swept.pages;
        lost ||= swept.lost;
      }
      return { pages, lost };
    },
    isComplete: () => instance.isAsWeLeftIt() && cpus.every(isComplete) && secondsSlept(options) - sleptBefore < SLEPT_SECONDS,
    isEmpty: () => cpus.every(({ folder }) => statOf(readStats(folder), 'entries') === 0),
    close,
  };
}

interface Sweep {
  readonly cpu: CpuReader;
  readonly instance: TraceInstance;
  readonly onCompletion: (completion: Completion) => void;
}

const MAX_PAGE_BYTES = 256 * 1024;
/** A buffer has fewer pages: whatever was there when a sweep began has been read when it ends here. */
const MAX_SWEEP_PAGES = 16 * 1024;
const pageBytes = new Uint8Array(MAX_PAGE_BYTES);
const pageView = new DataView(pageBytes.buffer);

function sweepCpu(libc: LiveLibc, { cpu, instance, onCompletion }: Sweep): { pages: number; lost: boolean } {
  const { layouts } = instance;
  const page = pageBytes.subarray(0, layouts.page.pageBytes);
  let lost = false;
  for (let pages = 0; pages < MAX_SWEEP_PAGES; pages += 1) {
    const got = libc.read(cpu.fd, page);
    if (got === 0) return { pages, lost };
    if (got !== page.length) return { pages, lost: true };
    const content = readPage(pageView, layouts, onCompletion);
    cpu.records += content.records;
    lost ||= content.lost;
  }
  return { pages: MAX_SWEEP_PAGES, lost };
}

/** Lines of `name: number`. */
function readStats(folder: string): string {
  return readFileSync(join(folder, 'stats'), 'utf8');
}

function statOf(stats: string, name: string): number {
  const match = new RegExp(`^${name}: (\\d+)$`, 'm').exec(stats);
  return match === null ? Number.NaN : Number(match[1]);
}

function isComplete({ folder, records }: CpuReader): boolean {
  const stats = readStats(folder);
  const dropped = ['overrun', 'commit overrun', 'dropped events'].map((name) => statOf(stats, name));
  return dropped.every((count) => count === 0) && statOf(stats, 'read events') === records;
}

/** Reads one block past all caches and expects to be told of it. @throws Error */
function proveItSees({ libc, path, dev }: TraceOptions, { instance, cpus }: Pick<Parts, 'instance' | 'cpus'>): void {
  instance.watch(dev, 'all');
  const aligned = alignedBuffer(4096);
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
  let seen = false;
  const onCompletion = (one: Completion) => {
    seen ||= one.dev === dev && one.isRead && one.sector === 0 && one.sectors === aligned.length / 512;
  };
  try {
    readSync(fd, aligned, 0, aligned.length, 0);
  } finally {
    closeSync(fd);
  }
  for (const cpu of cpus) sweepCpu(libc, { cpu, instance, onCompletion });
  if (!seen) throw new Error('the kernel does not tell of the requests of this disk');
}
