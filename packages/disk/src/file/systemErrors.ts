/** Turns the operating system's error codes into ours, with a sentence an administrator can act on. */
import { DiskError } from '../errors.ts';

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'UNKNOWN';
}

function isFull(code: string): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT';
}

export function openFailed(path: string, cause: unknown): DiskError {
  const code = codeOf(cause);
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new DiskError('DISK_NOT_FOUND', `there is no disk or file at ${path}`, { cause });
    case 'ENXIO':
    case 'ENODEV':
    case 'ENOMEDIUM':
      return new DiskError('DISK_NOT_FOUND', `${path} has no medium in it or is no longer connected`, { cause });
    case 'EACCES':
    case 'EPERM':
      return new DiskError('DISK_ACCESS_DENIED', `this user may not open ${path}`, { cause });
    case 'EBUSY':
    case 'ETXTBSY':
      return new DiskError('DISK_BUSY', `${path} is in use (mounted, part of a volume group or array, or opened exclusively)`, {
        retry: 'later',
        cause,
      });
    case 'EROFS':
      return new DiskError('DISK_READ_ONLY', `${path} cannot be written: the medium is read-only`, { cause });
    case 'ENOSPC':
    case 'EDQUOT':
      return new DiskError('DISK_FULL', `there is no room to create ${path}`, { retry: 'later', cause });
    default:
      return new DiskError('DISK_READ_FAILED', `cannot open ${path} (${code})`, { cause });
  }
}

export function readFailed(path: string, offsetBytes: number, cause: unknown): DiskError {
  const code = codeOf(cause);
  return new DiskError('DISK_READ_FAILED', `cannot read ${path} at byte ${offsetBytes} (${code})`, { cause });
}

export function writeFailed(path: string, offsetBytes: number, cause: unknown): DiskError {
  const code = codeOf(cause);
  if (isFull(code)) {
    return new DiskError('DISK_FULL', `there is no room left while writing ${path} at byte ${offsetBytes}`, {
      retry: 'later',
      cause,
    });
  }
  if (code === 'EFBIG') {
    return new DiskError(
      'DISK_WRITE_FAILED',
      `the file system below cannot hold ${path}: a file of that size is too large for it`,
      { cause },
    );
  }
  if (code === 'EROFS' || code === 'EPERM') {
    return new DiskError('DISK_READ_ONLY', `${path} cannot be written: the medium is read-only`, { cause });
  }
  return new DiskError('DISK_WRITE_FAILED', `cannot write ${path} at byte ${offsetBytes} (${code})`, { cause });
}
