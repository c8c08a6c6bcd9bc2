/**
 * The few calls of libc that Node does not offer, through koffi: a hole in a regular file, BLKZEROOUT on a block device (the
 * drive's own command where it has one), and a block device's geometry. koffi is optional: without it every call here
 * answers "cannot", and the caller writes zeros itself or reads sysfs.
 */
import { promisify } from 'node:util';

export interface BlockGeometry {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly readOnly: boolean;
}

/** Answers whether the whole range reads as zero now. Slow devices do not block the event loop. */
type ZeroCall = (fd: number, offsetBytes: number, lengthBytes: number) => Promise<boolean>;

export interface Libc {
  readonly zeroFile: ZeroCall;
  readonly zeroBlock: ZeroCall;
  blockGeometry(fd: number): BlockGeometry | null;
}

const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
/** include/uapi/linux/fs.h: `_IO(0x12, 127)`, `_IOR(0x12, 114, size_t)`, `_IO(0x12, 104)`, `_IO(0x12, 94)`. */
const BLKZEROOUT = 0x127f;
const BLKGETSIZE64 = 0x80081272;
const BLKSSZGET = 0x1268;
const BLKROGET = 0x125e;

const without: Libc = { zeroFile: async () => false, zeroBlock: async () => false, blockGeometry: () => null };

let loading: Promise<Libc> | undefined;

/** Loaded once; never rejects. */
export function libc(): Promise<Libc> {
  loading ??= load().catch(() => without);
  return loading;
}

async function load(): Promise<Libc> {
  if (process.platform !== 'linux') return without;
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const fallocate = library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
  const ioctl = library.func('int ioctl(int fd, unsigned long request, void *argument)');
  const fallocateLater = promisify<number, number, number, number, number>(fallocate.async);
  const ioctlLater = promisify<number, number, BigUint64Array, number>(ioctl.async);
  const ask = (fd: number, request: number): number | null => {
    const answer = new BigUint64Array(1);
    return ioctl(fd, request, answer) === 0 ? Number(answer[0] ?? 0n) : null;
  };
  return {
    zeroFile: async (fd, offsetBytes, lengthBytes) =>
      (await fallocateLater(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes)) === 0,
    async zeroBlock(fd, offsetBytes, lengthBytes) {
      const range = new BigUint64Array([BigInt(offsetBytes), BigInt(lengthBytes)]);
      const result = await ioctlLater(fd, BLKZEROOUT, range);
      // Looked at after the call, so that it is not collected while another thread reads it.
      return result === 0 && range.length === 2;
    },
    blockGeometry(fd) {
      const [sizeBytes, sectorBytes, readOnly] = [ask(fd, BLKGETSIZE64), ask(fd, BLKSSZGET), ask(fd, BLKROGET)];
      return sizeBytes === null || sectorBytes === null ? null : { sizeBytes, sectorBytes, readOnly: readOnly === 1 };
    },
  };
}
