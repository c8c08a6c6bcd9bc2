import type { FailureCode } from '@diskfleet/protocol';

/** The only error the server throws of its own. Errors of vault, engine, disk and filesystem pass through with their codes. */
export class ServerError extends Error {
  readonly code: FailureCode;
  readonly retry: 'never' | 'later';
  constructor(code: FailureCode, detail = '', options: { retry?: 'never' | 'later'; cause?: unknown } = {}) {
    super(detail, { cause: options.cause });
    this.name = 'ServerError';
    this.code = code;
    this.retry = options.retry ?? 'never';
  }
}

/** Code and detail of any error, for a person. What we did not foresee is INTERNAL, and its text stays in the process log. */
export function describeError(error: unknown): { code: FailureCode | string; detail: string; retry: 'never' | 'later' } {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && 'retry' in error) {
    return { code: error.code, detail: error.message, retry: error.retry === 'later' ? 'later' : 'never' };
  }
  return { code: 'INTERNAL', detail: '', retry: 'later' };
}
