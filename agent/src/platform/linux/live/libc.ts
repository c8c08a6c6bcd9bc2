/**
 * The calls of libc that holding a disk still needs and Node does not offer, through koffi. Without koffi there is no live backup,
 * and `liveLibc` answers null.
 */
import { promisify } from 'node:util';

export interface LiveLibc {
  /** FIFREEZE: stops every writer of the filesystem at this folder and writes out what they wrote. 0, or the errno. */
  freeze(fd: number): Promise<number>;
  /** FITHAW. 0, or the errno: EINVAL when it is not frozen. Waits here: threads of the pool may all hang in writes to what is frozen. */
  thaw(fd: number): number;
  /** Writes out everything the filesystem at this folder holds back. */
  syncFilesystem(fd: number): Promise<boolean>;
  /** Bytes read into the buffer, 0 when there is nothing now; never waits on a non-blocking descriptor. */
  read(fd: number, into: Uint8Array): number;
  mountTracefs(folder: string): boolean;
}

export const EINVAL = 22;
export const EBUSY = 16;
export const EOPNOTSUPP = 95;

/** include/uapi/linux/fs.h: `_IOWR('X', 119, int)` and `_IOWR('X', 120, int)`. */
const FIFREEZE = 0xc0045877;
const FITHAW = 0xc0045878;

let loading: Promise<LiveLibc | null> | undefined;

/** Loaded once; never rejects. */
export function liveLibc(): Promise<LiveLibc | null> {
  loading ??= load().catch(() => null);
  return loading;
}

async function load(): Promise<LiveLibc | null> {
  if (process.platform !== 'linux') return null;
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const ioctl = library.func('int ioctl(int fd, unsigned long request, int argument)');
  const syncfs = library.func('int syncfs(int fd)');
  const read = library.func('int64_t read(int fd, void *into, size_t bytes)');
  const mount = library.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, void *data)',
  );
  const ioctlLater = promisify<number, number, number, number>(ioctl.async);
  const syncfsLater = promisify<number, number>(syncfs.async);
  const callNow = (fd: number, request: number): number => (ioctl(fd, request, 0) === 0 ? 0 : koffi.errno());
  return {
    // errno of a call on another thread is gone when we hear of it: a failed one is asked again here, where it fails at once.
    freeze: async (fd) => ((await ioctlLater(fd, FIFREEZE, 0)) === 0 ? 0 : callNow(fd, FIFREEZE)),
    thaw: (fd) => callNow(fd, FITHAW),
    syncFilesystem: async (fd) => (await syncfsLater(fd)) === 0,
    read: (fd, into) => Math.max(0, Number(read(fd, into, into.length))),
    mountTracefs: (folder) => mount('tracefs', folder, 'tracefs', 0, null) === 0,
  };
}
