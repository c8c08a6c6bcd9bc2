/** The agent as a process: identity, journal, one link to the server, one runner, and a look at the disks now and then. */
import { mkdir, realpath } from 'node:fs/promises';
import { type Inventory, type JobOutcome, keyFingerprint, MAX_MESSAGE_BYTES, type OfferedJob } from '@diskfleet/protocol';
import { type Logger, pino } from 'pino';
import { AgentError, toFailure } from '../errors.ts';
import { readSettings, type Settings } from '../inventory/settings.ts';
import { disksSignature, takeInventory } from '../inventory/takeInventory.ts';
import { openJobVault } from '../jobs/openJobVault.ts';
import { runJob } from '../jobs/runJob.ts';
import type { Platform } from '../platform/types.ts';
import type { WorkMessage } from './connection.ts';
import { enrol } from './enrol.ts';
import { type Identity, readIdentity } from './identity.ts';
import { type Journal, openJournal } from './journal.ts';
import { keepLinked, type Link } from './link.ts';
import { makeRunner, type Runner, type RunningSpec, settleInterrupted } from './runner.ts';
import { holdFolder } from './singleton.ts';
import { type Dial, dialWebSocket } from './socket.ts';
import { realTimers, type Timers } from './timers.ts';

export interface AgentOptions {
  readonly folder: string;
  readonly platform: Platform;
  readonly env: NodeJS.ProcessEnv;
  /** Stops the agent; `runAgent` resolves when everything is in the journal. */
  readonly signal: AbortSignal;
  readonly timers?: Timers;
  readonly dial?: Dial;
  readonly log?: Logger;
}

const LOOK_EVERY_MS = 30_000;
/** Outcomes a `hello` may carry beside the inventory; the rest follow one by one. */
const HELLO_OUTCOME_BYTES = MAX_MESSAGE_BYTES / 4;

/** @throws AgentError `NOT_ENROLLED`, `AGENT_BUSY`, `INVALID_INPUT` */
export async function runAgent(options: AgentOptions): Promise<void> {
  const timers = options.timers ?? realTimers;
  const log = options.log ?? pino({ name: 'diskfleet-agent' }, pino.destination(2));
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const release = await holdFolder(await realpath(options.folder));
  try {
    const identity = (await readIdentity(options.folder)) ?? (await enrolFromEnvironment(options, { timers, log }));
    if (identity === null) return;
    const onDamage = (lines: number) => log.error({ lines }, 'the journal had damaged lines; what they said is lost');
    const journal = openJournal(options.folder, { now: timers.now, onDamage });
    try {
      settleInterrupted(journal, timers.now());
      await serve({ options, timers, log, identity, journal });
    } finally {
      options.platform.live?.close();
      journal.close();
    }
  } finally {
    release();
  }
}

interface Clock {
  readonly timers: Timers;
  readonly log: Logger;
}

/** A PC set up by a script or by `npm start` is given its token in the environment, maybe before the server is up. Null: stopped meanwhile. */
async function enrolFromEnvironment(options: AgentOptions, { timers, log }: Clock): Promise<Identity | null> {
  const { DISKFLEET_ENROL_URL: serverUrl, DISKFLEET_ENROL_TOKEN: token } = options.env;
  if (!serverUrl || !token) throw new AgentError('NOT_ENROLLED', `there is no identity in ${options.folder}`);
  const { folder, platform, signal, env } = options;
  for (let tries = 0; ; tries += 1) {
    try {
      await enrol({ serverUrl, token, folder, platform, signal, env, allowRemoteDiskWrites: null, now: timers.now });
      break;
    } catch (error) {
      const { code, retry, detail } = toFailure(error);
      if (signal.aborted) return null;
      if (retry !== 'later') throw error;
      if (tries === 0) log.info({ code, detail }, 'the server does not answer yet; trying until it does');
      await new Promise<void>((resolve) => timers.after(1_000, resolve));
    }
  }
  const identity = await readIdentity(folder);
  if (identity === null) throw new AgentError('INTERNAL', 'the identity was not written');
  return identity;
}

interface Parts extends Clock {
  readonly options: AgentOptions;
  readonly identity: Identity;
  readonly journal: Journal;
}

/** What changes while the agent runs. */
interface Live {
  machineName: string;
  /** Server's clock minus ours. */
  clockOffsetMs: number;
  /** What the disks looked like when last told. */
  signature: string;
}

async function serve(parts: Parts): Promise<void> {
  const { options, timers, log, identity, journal } = parts;
  const { folder: agentFolder } = options;
  const live: Live = { machineName: '', clockOffsetMs: 0, signature: '' };
  const settings = () => readSettings(agentFolder, { create: true, env: options.env });
  await settings();
  const serverNow = () => new Date(timers.now().getTime() + live.clockOffsetMs);
  const runner = makeRunner({
    journal,
    timers,
    serverNow,
    send: (message) => link.send(message),
    onFinished: (job, outcome) => afterJob(job, outcome),
    run: async (job, op) => runJob(await jobContext(job, op), job.spec),
  });
  const sendInventory = (requestId: string | null) =>
    guard(log, 'inventory', async () => {
      link.send({ type: 'inventory', requestId, inventory: await look(parts, live, await settings()) });
    });
  const link: Link = keepLinked({
    identity,
    timers,
    dial: options.dial ?? dialWebSocket,
    events: {
      onUp(welcome) {
        live.machineName = welcome.machineName;
        live.clockOffsetMs = Date.parse(welcome.now) - timers.now().getTime();
        log.info({ machineName: welcome.machineName, clockOffsetMs: live.clockOffsetMs }, 'connected');
        guard(log, 'hello', async () =>
          sayHello({ link, runner, journal, inventory: await look(parts, live, await settings()) }),
        );
      },
      onMessage: (message) => guard(log, message.type, () => obey(message, { runner, sendInventory, parts })),
      onDown: (reason) => log.warn({ reason }, 'connection lost'),
      onRefused: (code, message) => log.warn({ code, keyFingerprint: keyFingerprint(identity.publicKey) }, message),
    },
  });
  const jobContext = async ({ jobId, onToken }: RunningSpec, op: Parameters<Parameters<typeof makeRunner>[0]['run']>[1]) => {
    const chosen = await settings();
    return {
      jobId,
      identity,
      machineName: live.machineName,
      platform: options.platform,
      settings: chosen,
      agentFolder,
      journal,
      serverNow,
      openVault: openJobVault(onToken, chosen.vaultPatienceSeconds),
      op,
    };
  };
  const afterJob = ({ jobId, attempt, spec }: OfferedJob, { outcome }: JobOutcome) => {
    log.info(
      { jobId, attempt, kind: spec.kind, outcome: outcome.kind, ...(outcome.kind === 'failed' ? outcome.failure : {}) },
      'job ended',
    );
    if (spec.kind === 'restore') sendInventory(null);
  };
  const { machineId, serverUrl: server, publicKey } = identity;
  log.info({ machineId, server, keyFingerprint: keyFingerprint(publicKey) }, 'agent started');
  const stopLooking = every(timers, LOOK_EVERY_MS, () =>
    guard(log, 'look', async () => {
      if ((await disksSignature(options.platform, await settings())) !== live.signature) sendInventory(null);
    }),
  );
  await aborted(options.signal);
  stopLooking();
  await runner.stop();
  link.stop();
  log.info('agent stopped');
}

async function look({ options, timers }: Parts, live: Live, settings: Settings): Promise<Inventory> {
  const signature = await disksSignature(options.platform, settings);
  const inventory = await takeInventory(options.platform, settings, timers.now);
  live.signature = signature;
  return inventory;
}

interface Hello {
  readonly link: Link;
  readonly runner: Runner;
  readonly journal: Journal;
  readonly inventory: Inventory;
}

/** Everything the server must know to reconcile: what runs, and every outcome it has not acknowledged. */
export function sayHello({ link, runner, journal, inventory }: Hello): void {
  const done: JobOutcome[] = [];
  const later: JobOutcome[] = [];
  let bytes = 0;
  for (const outcome of journal.unacked()) {
    bytes += Buffer.byteLength(JSON.stringify(outcome));
    if (bytes <= HELLO_OUTCOME_BYTES && done.length < 500) done.push(outcome);
    else later.push(outcome);
  }
  link.send({ type: 'hello', inventory, running: [...runner.running()], done });
  for (const outcome of later) link.send({ type: 'done', outcome });
}

interface Obeying {
  readonly runner: Runner;
  readonly sendInventory: (requestId: string | null) => void;
  readonly parts: Parts;
}

async function obey(message: WorkMessage, { runner, sendInventory, parts }: Obeying): Promise<void> {
  // Obeying writes to the journal, which may lie on a volume that is held still just now.
  await parts.options.platform.live?.whenLetGo();
  switch (message.type) {
    case 'offer':
      return runner.offer(message.job);
    case 'cancel':
      return runner.cancel(message.jobId);
    case 'ack':
      return runner.ack(message.jobId, message.attempt);
    case 'renewToken':
      return runner.renewToken(message.jobId, message.attempt, message.token);
    case 'refreshInventory':
      return sendInventory(message.requestId);
  }
}

/** Nothing that goes wrong in one message may end the agent. */
function guard(log: Logger, what: string, action: () => Promise<void>): void {
  action().catch((error: unknown) => log.error({ what, ...toFailure(error) }, 'failed'));
}

function every(timers: Timers, everyMs: number, action: () => void): () => void {
  let cancel = () => {};
  const next = () => {
    cancel = timers.after(everyMs, () => {
      action();
      next();
    });
  };
  next();
  return () => cancel();
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
