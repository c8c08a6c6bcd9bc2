export type EngineErrorCode =
  | 'SOURCE_EMPTY'
  | 'SOURCE_CHANGED_SIZE'
  | 'LIVE_VIEW_LOST'
  | 'TARGET_TOO_SMALL'
  | 'TARGET_SECTOR_MISMATCH'
  | 'TARGET_CHANGED'
  | 'TARGET_IN_USE'
  | 'TARGET_IS_SYSTEM_DISK'
  | 'TARGET_IS_SOURCE'
  | 'PLAN_NOT_CONFIRMED'
  | 'PLAN_CHANGED'
  | 'PLAN_DOES_NOT_FIT'
  | 'COMPARE_FAILED'
  | 'DISK_NOT_IN_POINT'
  | 'PATH_NOT_FOUND'
  | 'PARTITION_NOT_FOUND'
  | 'PARTITION_LEFT_OUT'
  | 'FILESYSTEM_UNKNOWN'
  | 'CANCELLED'
  | 'WORKER_FAILED';

/** The only error this package throws of its own; `DiskError`, `FilesystemError` and `VaultError` pass through. */
export class EngineError extends Error {
  readonly code: EngineErrorCode;
  readonly retry: 'never' | 'later';
  constructor(code: EngineErrorCode, message: string, options: { retry?: 'never' | 'later'; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'EngineError';
    this.code = code;
    this.retry = options.retry ?? 'never';
  }
}
