/**
 * Makes a range of an open file or block device read as zero without sending the zeros: a hole in a regular file,
 * BLKZEROOUT on a block device (the drive's own command where it has one). Node offers neither, so libc is called through
 * koffi; where koffi or the call is missing, or the filesystem cannot, the caller writes zeros itself.
 */
import { promisify } from 'node:util';

/** Answers whether the whole range is zero now. */
export type ZeroCall = (fd: number, offsetBytes: number, lengthBytes: number) => Promise<boolean>;

interface ZeroCalls {
  readonly file: ZeroCall;
  readonly block: ZeroCall;
}

const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
/** `_IO(0x12, 127)`, include/uapi/linux/fs.h. */
const BLKZEROOUT = 0x127f;

const never: ZeroCall = async () => false;

let loading: Promise<ZeroCalls> | undefined;

/** The calls of this machine; loaded once. */
export function zeroCalls(): Promise<ZeroCalls> {
  loading ??= loadCalls().catch(() => ({ file: never, block: never }));
  return loading;
}

async function loadCalls(): Promise<ZeroCalls> {
  if (process.platform !== 'linux') return { file: never, block: never };
  const { default: koffi } = await import('koffi');
  const libc = koffi.load(null);
  const fallocate = libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, const uint64_t *range)');
  const fallocateLater = promisify<number, number, number, number, number>(fallocate.async);
  const ioctlLater = promisify<number, number, BigUint64Array, number>(ioctl.async);
  return {
    file: async (fd, offsetBytes, lengthBytes) =>
      (await fallocateLater(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes)) === 0,
    block: async (fd, offsetBytes, lengthBytes) =>
      (await ioctlLater(fd, BLKZEROOUT, new BigUint64Array([BigInt(offsetBytes), BigInt(lengthBytes)]))) === 0,
  };
}
