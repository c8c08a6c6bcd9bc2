import { ServerError } from './errors.ts';

/** Holds the place of a verb while the contract is laid. */
export function notBuilt<T>(): Promise<T> {
  return Promise.reject(new ServerError('INTERNAL', 'not built yet'));
}
