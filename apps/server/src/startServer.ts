/** Builds the context and starts everything. main.ts calls it with the environment's settings, tests with their own. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrateDatabase, openDatabase } from '@diskfleet/db';
import type { Logger } from 'pino';
import { tryLimit } from './auth/tryLimit.ts';
import type { Ctx, Limits } from './context.ts';
import { listen } from './http/listen.ts';
import { createHubState } from './hub/state.ts';
import { expireJobs, noteSeen, nudge, renewTokens } from './jobs/housekeeping.ts';
import { createLiveBus } from './live/bus.ts';
import { knowLocalToken } from './machines/enrol.ts';
import type { Secrets, Settings } from './settings.ts';
import { closeVaults, createOpenVaults } from './vaults/openVaults.ts';
import { tendVaults } from './vaults/tend.ts';
import { refreshAllUsage } from './vaults/usage.ts';

export interface ServerOptions {
  readonly settings: Settings;
  readonly secrets: Secrets;
  readonly log: Logger;
  readonly now?: () => Date;
}

export interface RunningServer {
  readonly ctx: Ctx;
  readonly port: number;
  close(): Promise<void>;
}

const STOP_WITHIN_MS = 4_000;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { settings, secrets, log, now = () => new Date() } = options;
  await migrateDatabase(settings.database);
  const { db, close: closeDatabase } = openDatabase(settings.database, { maxConnections: 20 });
  const ctx: Ctx = {
    db,
    log,
    now,
    settings,
    secrets,
    limits: makeLimits(now),
    live: createLiveBus(randomBytes(6).toString('hex')),
    hub: createHubState(),
    progress: new Map(),
    vaults: createOpenVaults(),
  };
  await knowLocalToken(ctx);
  const listening = await listen(ctx);
  const stopClock = startClock(ctx);
  return {
    ctx,
    port: listening.port,
    async close() {
      stopClock();
      await listening.close();
      await drain(ctx);
      await closeVaults(ctx);
      await closeDatabase();
    },
  };
}

/** Work that agents' messages began is finished, so that what was heard is stored. */
async function drain(ctx: Ctx): Promise<void> {
  const deadline = performance.now() + STOP_WITHIN_MS;
  while (ctx.hub.working.size > 0 && performance.now() < deadline) {
    await Promise.race([Promise.allSettled([...ctx.hub.working]), sleep(100)]);
  }
}

function makeLimits(now: () => Date): Limits {
  return {
    signIn: tryLimit({ tries: 10, windowMs: 5 * 60_000, now }),
    signInAll: tryLimit({ tries: 200, windowMs: 60_000, now }),
    setup: tryLimit({ tries: 20, windowMs: 60_000, now }),
    enrol: tryLimit({ tries: 500, windowMs: 10_000, now }),
    handshakes: tryLimit({ tries: 2_000, windowMs: 10_000, now }),
  };
}

/** Each duty runs alone: a slow one is skipped over, a failed one is tried again at its next turn. */
function startClock(ctx: Ctx): () => void {
  const duties: readonly (readonly [everyMs: number, work: (ctx: Ctx) => Promise<void>])[] = [
    [5_000, expireJobs],
    [5_000, nudge],
    [60_000, renewTokens],
    [60_000, noteSeen],
    [60_000, refreshAllUsage],
    [600_000, tendVaults],
  ];
  const timers = duties.map(([everyMs, work]) => {
    let busy = false;
    return setInterval(() => {
      if (busy) return;
      busy = true;
      work(ctx)
        .catch((error: unknown) => ctx.log.error({ err: error, duty: work.name }, 'duty failed'))
        .finally(() => {
          busy = false;
        });
    }, everyMs);
  });
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
