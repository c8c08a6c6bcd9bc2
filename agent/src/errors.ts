import { type Failure, type FailureCode, isFailureCode } from '@diskfleet/protocol';

/** The only error the agent and the command throw of their own; errors of disk, filesystem, vault and engine pass through. */
export class AgentError extends Error {
  readonly code: FailureCode;
  readonly retry: 'never' | 'later';
  constructor(code: FailureCode, message: string, options: { retry?: 'never' | 'later'; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'AgentError';
    this.code = code;
    this.retry = options.retry ?? 'never';
  }
}

/** What the system calls say, in our codes: used where no layer below has translated them already. */
const systemCodes: Record<string, FailureCode> = {
  ENOENT: 'DISK_NOT_FOUND',
  EACCES: 'DISK_ACCESS_DENIED',
  EPERM: 'DISK_ACCESS_DENIED',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EIO: 'DISK_READ_FAILED',
  EBUSY: 'DISK_BUSY',
  EROFS: 'DISK_READ_ONLY',
  ABORT_ERR: 'CANCELLED',
  ECONNREFUSED: 'SERVER_UNREACHABLE',
};

/** Any error as the coded failure that crosses a process. Never throws; what has no code is `INTERNAL`. */
export function toFailure(error: unknown): Failure {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code !== null && isFailureCode(code)) return { code, detail: message, retry: retryOf(error) };
  const known = code === null ? undefined : systemCodes[code];
  return known === undefined
    ? { code: 'INTERNAL', detail: message, retry: 'never' }
    : { code: known, detail: message, retry: 'never' };
}

/** The `code` of an error of ours or of Node, or null. */
export function codeOf(error: unknown): string | null {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error && error.name === 'AbortError' ? 'ABORT_ERR' : null;
}

function retryOf(error: unknown): 'never' | 'later' {
  return error instanceof Error && 'retry' in error && error.retry === 'later' ? 'later' : 'never';
}
