export type FilesystemErrorCode =
  | 'FS_DAMAGED'
  | 'FS_UNSUPPORTED'
  | 'FS_TOO_LARGE'
  | 'FS_NOT_FOUND'
  | 'FS_NOT_A_DIRECTORY'
  | 'FS_NOT_A_FILE'
  | 'FS_OUT_OF_RANGE'
  | 'FS_ENCRYPTED_FILE';

/** The only error this package throws of its own (a `DiskError` of the device below passes through). */
export class FilesystemError extends Error {
  readonly code: FilesystemErrorCode;
  readonly retry = 'never';
  constructor(code: FilesystemErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'FilesystemError';
    this.code = code;
  }
}
