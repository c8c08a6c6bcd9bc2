import type { FailureCode } from '@diskfleet/protocol';

/** The only error of this service: an HTTP status with a failure code of the product. */
export class ServiceError extends Error {
  readonly status: number;
  readonly code: FailureCode;
  readonly retry: 'never' | 'later';
  constructor(status: number, code: FailureCode, message: string) {
    super(message);
    this.name = 'ServiceError';
    this.status = status;
    this.code = code;
    this.retry = status >= 500 ? 'later' : 'never';
  }
}
