/**
 * One tracing instance of our own (Documentation/trace/ftrace.rst, "Instances"): its buffers and events are nobody else's, so no
 * other tool on the PC is disturbed. Named after the process, so that one of a process that died is found and removed.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LiveLibc } from './libc.ts';
import { type EventLayout, type PageLayout, parseEventLayout, parsePageLayout } from './tracePage.ts';

export const TRACEFS = '/sys/kernel/tracing';
const EVENT = 'events/block/block_rq_complete';

export interface TraceInstance {
  readonly folder: string;
  readonly layouts: { readonly page: PageLayout; readonly event: EventLayout };
  /** Folders below `per_cpu`: one for each processor there may ever be. */
  readonly cpus: readonly string[];
  /** The event is on, with the filter we set, and the buffer takes records. Another tool may have reset all tracing. */
  isAsWeLeftIt(): boolean;
  /** Keeps only finished requests of this disk; all of them, or all that are no reads. */
  watch(dev: number, which: 'all' | 'not reads'): void;
  remove(): void;
}

let made = 0;

/** Mounts tracefs where it is not. @returns why there is no tracing here, or null */
export function whyNoTracing(libc: LiveLibc): string | null {
  if (existsSync(join(TRACEFS, EVENT))) return null;
  if (!existsSync(TRACEFS)) return 'the kernel has no tracing';
  if (!existsSync(join(TRACEFS, 'instances')) && !libc.mountTracefs(TRACEFS)) {
    return 'the tracing of the kernel is not open to this process (kernel lockdown, or a container)';
  }
  return existsSync(join(TRACEFS, EVENT)) ? null : 'the kernel does not tell of finished disk requests';
}

/** @throws any error of tracefs; nothing is left behind */
export function makeTraceInstance(bufferKib: number): TraceInstance {
  removeLeftovers();
  made += 1;
  const folder = join(TRACEFS, 'instances', `diskfleet-${process.pid}-${made}`);
  mkdirSync(folder);
  try {
    return setUp(folder, bufferKib);
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
}

function setUp(folder: string, bufferKib: number): TraceInstance {
  const at = (path: string) => join(folder, path);
  const put = (path: string, text: string) => writeFileSync(at(path), text);
  const get = (path: string) => readFileSync(at(path), 'utf8').trim();
  const page = parsePageLayout(readFileSync(at('events/header_page'), 'utf8'));
  const event = parseEventLayout(readFileSync(join(TRACEFS, EVENT, 'format'), 'utf8'));
  if (page === null || event === null) throw new Error('the records of this kernel are not of a kind we know');
  put('buffer_size_kb', String(bufferKib));
  // When there is no room the newest records are dropped and counted; the ones being read stay as they are.
  put('options/overwrite', '0');
  let filter = '';
  return {
    folder,
    layouts: { page, event },
    cpus: readdirSync(at('per_cpu')).map((cpu) => at(`per_cpu/${cpu}`)),
    isAsWeLeftIt: () => get(`${EVENT}/enable`).startsWith('1') && get('tracing_on') === '1' && get(`${EVENT}/filter`) === filter,
    watch(dev, which) {
      put(`${EVENT}/filter`, which === 'all' ? `dev == ${dev}` : `dev == ${dev} && !(rwbs ~ "R*")`);
      filter = get(`${EVENT}/filter`);
      put(`${EVENT}/enable`, '1');
    },
    remove() {
      try {
        put(`${EVENT}/enable`, '0');
        rmdirSync(folder);
      } catch {
        // It is gone, or somebody looks into it: the next start of any of ours removes it.
      }
    },
  };
}

/** Instances of processes that are no more: each holds kernel memory until it is removed. */
export function removeLeftovers(): void {
  for (const name of readdirSync(join(TRACEFS, 'instances'))) {
    const pid = /^diskfleet-(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmdirSync(join(TRACEFS, 'instances', name));
    } catch {
      // Another of our processes was faster.
    }
  }
}
