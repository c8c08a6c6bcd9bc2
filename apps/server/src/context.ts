/** What every verb is given. Built once in main.ts (and in tests with a fake clock); there is no other global state. */
import type { Database } from '@diskfleet/db';
import type { Logger } from 'pino';

export interface Ctx {
  readonly db: Database;
  readonly log: Logger;
  readonly now: () => Date;
}
