export type DiskErrorCode =
  | 'DISK_NOT_FOUND'
  | 'DISK_ACCESS_DENIED'
  | 'DISK_OUT_OF_RANGE'
  | 'DISK_READ_FAILED'
  | 'DISK_WRITE_FAILED'
  | 'DISK_FULL'
  | 'DISK_BUSY'
  | 'DISK_READ_ONLY'
  | 'DISK_WRONG_KIND'
  | 'TABLE_DAMAGED'
  | 'TABLE_TOO_LARGE'
  | 'TABLE_DOES_NOT_FIT';

/** The only error this package throws. `retry` says whether the same call can succeed later without a person acting. */
export class DiskError extends Error {
  readonly code: DiskErrorCode;
  readonly retry: 'never' | 'later';
  constructor(code: DiskErrorCode, message: string, options: { retry?: 'never' | 'later'; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'DiskError';
    this.code = code;
    this.retry = options.retry ?? 'never';
  }
}
