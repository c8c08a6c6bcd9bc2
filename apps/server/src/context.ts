/** What every verb is given. Built once by `startServer` (in tests with a clock of their own); there is no other global state. */
import type { Database } from '@diskfleet/db';
import type { JobProgress } from '@diskfleet/protocol';
import type { Logger } from 'pino';
import type { TryLimit } from './auth/tryLimit.ts';
import type { HubState } from './hub/state.ts';
import type { LiveBus } from './live/bus.ts';
import type { Secrets, Settings } from './settings.ts';
import type { OpenVaults } from './vaults/openVaults.ts';

export interface Ctx {
  readonly db: Database;
  readonly log: Logger;
  readonly now: () => Date;
  readonly settings: Settings;
  readonly secrets: Secrets;
  readonly limits: Limits;
  readonly live: LiveBus;
  /** Agents connected to this server. */
  readonly hub: HubState;
  /** Newest progress of running jobs: shown, never stored. */
  readonly progress: Map<string, JobProgress>;
  readonly vaults: OpenVaults;
}

export interface Limits {
  /** By e-mail. */
  readonly signIn: TryLimit;
  readonly signInAll: TryLimit;
  readonly setup: TryLimit;
  readonly enrol: TryLimit;
  readonly handshakes: TryLimit;
}
