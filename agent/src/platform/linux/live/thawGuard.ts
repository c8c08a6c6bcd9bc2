/**
 * The watchdog: a process of its own, started before the first filesystem is frozen, that thaws what the agent froze when the agent
 * dies or takes too long, whatever the agent is doing. It holds the folders of the filesystems open (descriptors 3, 4, …, handed
 * over by the agent), never touches a path, writes to no disk, and waits in the kernel; its memory is locked as far as it was used.
 * Everything it does has been done once before it says that it is ready, so nothing need be loaded from a frozen disk.
 *
 * Spoken on the pipe, a line each: `freeze N` (about to freeze descriptor N: the clock runs from the first), `not N` (it could not
 * be), `end` (all thawed by the agent: whoever freezes them from now on is none of our business). The end of the pipe without it
 * means the agent is gone; the kernel closes it only after a freeze that was under way.
 */
import { readSync, writeFileSync, writeSync } from 'node:fs';
import koffi from 'koffi';

const FITHAW = 0xc0045878;
/** MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT: what has been used stays, what is reserved is not filled. */
const LOCK_WHAT_IS_USED = 7;
const POLLIN = 1;
const RETRY_MS = 100;

const deadlineMs = Number(process.argv[2] ?? '10000');
const library = koffi.load(null);
const ioctl = library.func('int ioctl(int fd, unsigned long request, int argument)');
const poll = library.func('int poll(void *waiting, unsigned long count, int timeout)');
const mlockall = library.func('int mlockall(int flags)');

// A terminal or a service manager that ends the agent must not end this first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {});

const held = new Set<number>();
const input = Buffer.alloc(4096);
const waiting = new Uint8Array(8);
new DataView(waiting.buffer).setUint16(4, POLLIN, true);
let text = '';

/** Whether the agent said something (or is gone) within the time. */
function wait(timeoutMs: number): boolean {
  return poll(waiting, 1, Math.max(0, Math.ceil(timeoutMs))) > 0;
}

/** True at the end of the pipe or of the work; then `held` is what is left to thaw. */
function listen(): boolean {
  let got = 0;
  try {
    got = readSync(0, input);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return false;
  }
  text += input.toString('latin1', 0, got);
  const lines = text.split('\n');
  text = lines.pop() ?? '';
  for (const line of lines) {
    const [word, number] = line.split(' ');
    if (word === 'freeze') held.add(Number(number));
    if (word === 'not') held.delete(Number(number));
    if (word === 'end') {
      held.clear();
      return true;
    }
  }
  return got === 0;
}

/** Those that are frozen now are let go; the others answer "not frozen". */
function thawAll(): void {
  for (const fd of [...held].reverse()) ioctl(fd, FITHAW, 0);
}

function rehearse(): void {
  wait(0);
  held.add(-1);
  thawAll();
  held.clear();
  try {
    // The last process to be ended when memory is short.
    writeFileSync('/proc/self/oom_score_adj', '-1000');
  } catch {
    // Not allowed here: it is small anyway.
  }
  mlockall(LOCK_WHAT_IS_USED);
}

function guard(): void {
  let deadline = Number.POSITIVE_INFINITY;
  for (;;) {
    const leftMs = deadline - performance.now();
    // -1 waits for ever. After the deadline a freeze that was under way may still come about: thaw until the agent says it is over.
    if (leftMs <= 0) thawAll();
    const said = leftMs === Number.POSITIVE_INFINITY ? poll(waiting, 1, -1) > 0 : wait(leftMs > 0 ? leftMs : RETRY_MS);
    if (said && listen()) break;
    if (held.size > 0 && deadline === Number.POSITIVE_INFINITY) deadline = performance.now() + deadlineMs;
  }
  thawAll();
}

rehearse();
writeSync(1, 'ready\n');
guard();
process.exit(0);
