/** Errors on their way from a worker thread: structured cloning drops our classes and codes, so they travel as data. */
import { DiskError, type DiskErrorCode } from '@diskfleet/disk';
import { VaultError, type VaultErrorCode } from '@diskfleet/vault';
import { EngineError, type EngineErrorCode } from '../errors.ts';

export type ThreadError =
  | { kind: 'disk'; code: DiskErrorCode; retry: 'never' | 'later'; message: string; disk: number; offsetBytes: number | null }
  | { kind: 'vault'; code: VaultErrorCode; retry: 'never' | 'later'; message: string }
  | { kind: 'engine'; code: EngineErrorCode; retry: 'never' | 'later'; message: string };

/** A source that cannot be read at one place; the main thread knows which partition that is. */
export class SourceReadError extends DiskError {
  readonly disk: number;
  readonly offsetBytes: number;
  constructor(disk: number, offsetBytes: number, message: string) {
    super('DISK_READ_FAILED', message);
    this.disk = disk;
    this.offsetBytes = offsetBytes;
  }
}

export function packError(error: unknown): ThreadError {
  if (error instanceof SourceReadError) {
    const { code, retry, message, disk, offsetBytes } = error;
    return { kind: 'disk', code, retry, message, disk, offsetBytes };
  }
  if (error instanceof DiskError) {
    return { kind: 'disk', code: error.code, retry: error.retry, message: error.message, disk: 0, offsetBytes: null };
  }
  if (error instanceof VaultError) return { kind: 'vault', code: error.code, retry: error.retry, message: error.message };
  if (error instanceof EngineError) return { kind: 'engine', code: error.code, retry: error.retry, message: error.message };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { kind: 'engine', code: 'WORKER_FAILED', retry: 'never', message: `a worker thread failed: ${message}` };
}

/** @param describe where byte `offsetBytes` of disk number `disk` lies, in words */
export function unpackError(error: ThreadError, describe: (disk: number, offsetBytes: number) => string): Error {
  const { code, retry, message } = error;
  switch (error.kind) {
    case 'disk': {
      const place = error.offsetBytes === null ? '' : ` (${describe(error.disk, error.offsetBytes)})`;
      return new DiskError(error.code, `${message}${place}`, { retry });
    }
    case 'vault':
      return new VaultError(error.code, message, { retry });
    case 'engine':
      return new EngineError(error.code, message, { retry });
    default:
      throw new EngineError('WORKER_FAILED', `unknown error ${code}`);
  }
}
