/** A whole server for tests: real PostgreSQL, real HTTP and sockets, the real vault service; only the clock can be moved. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { DatabaseAddress } from '@diskfleet/db';
import { startTestDatabases, type TestDatabases } from '@diskfleet/db/testing';
import { generateIdentity, type UserView } from '@diskfleet/protocol';
import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import superjson from 'superjson';
import { createVaultService } from '../../../vault-service/src/index.ts';
import type { AppRouter } from '../router.ts';
import { makeIdentity, type Secrets, type Settings } from '../settings.ts';
import { type RunningServer, startServer } from '../startServer.ts';

export const SETUP_TOKEN = 'setup-token-for-tests';
export const LOCAL_TOKEN = 'local-enrol-token-for-tests';
export const OWNER = { name: 'Ann Owner', email: 'ann@example.org', password: 'correct horse battery' };

export interface TestFleet {
  readonly folder: string;
  readonly secrets: Secrets;
  readonly database: DatabaseAddress;
  server: RunningServer;
  url: string;
  /** Moves the server's clock. */
  skipMs(ms: number): void;
  /** Stops the server and starts another one on the same database and port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  stopVault(): Promise<void>;
  startVault(): Promise<void>;
  /** A client that calls as the console does for this session, or for nobody. */
  client(session?: { sid: string; user: UserView }): Client;
  /** Makes the owner and signs in. */
  owner(): Promise<{ sid: string; user: UserView }>;
  bridgeToken(claims: { sub?: string; sid?: string }, audience?: string): Promise<string>;
}

export type Client = ReturnType<typeof makeClient>;

export async function startTestFleet(databases: TestDatabases): Promise<TestFleet> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'diskfleet-server-'));
  const pair = generateIdentity();
  const random = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
  const secrets = { masterKey: random(), bridgeKey: random(), identity: makeIdentity(pair) };
  const log = pino({ level: process.env.TEST_LOG ?? 'silent' }, pino.destination({ fd: 2, sync: true }));
  let skipped = 0;
  const now = () => new Date(Date.now() + skipped);
  const makeVaultService = () =>
    createVaultService({
      dataFolder: path.join(folder, 'vault-data'),
      serverPublicKey: pair.publicKey,
      log,
      now,
    });
  let vaultServer = await makeVaultService();
  const vaultUrl = await listenOn(vaultServer, 0);
  const database = await databases.fresh();
  const settings: Settings = {
    host: '127.0.0.1',
    port: 0,
    database,
    vaultUrl,
    vaultPublicUrl: vaultUrl,
    publicUrl: 'http://server.test',
    consoleUrl: 'http://console.test',
    setupToken: SETUP_TOKEN,
    localEnrolToken: LOCAL_TOKEN,
  };
  const server = await startServer({ settings, secrets, log, now });
  const bridgeToken = (claims: { sub?: string; sid?: string }, audience = 'diskfleet-server') =>
    signBridge(secrets, claims, { audience, at: now() });
  const fleet: TestFleet = {
    folder,
    secrets,
    database,
    server,
    url: `http://127.0.0.1:${server.port}`,
    skipMs(ms) {
      skipped += ms;
    },
    async restart() {
      const { port } = fleet.server;
      await fleet.server.close();
      fleet.server = await startServer({ settings: { ...settings, port }, secrets, log, now });
    },
    async stop() {
      await fleet.server.close();
      await fleet.stopVault();
      rmSync(folder, { recursive: true, force: true });
    },
    async stopVault() {
      const closed = new Promise((resolve) => vaultServer.close(resolve));
      vaultServer.closeAllConnections();
      await closed;
    },
    async startVault() {
      vaultServer = await makeVaultService();
      await listenOn(vaultServer, Number(new URL(vaultUrl).port));
    },
    bridgeToken,
    client: (session) => makeClient(fleet, session),
    async owner() {
      const nobody = makeClient(fleet);
      const { needsOwner } = await nobody.setup.status.query();
      if (needsOwner) await nobody.setup.createOwner.mutate({ token: SETUP_TOKEN, ...OWNER });
      return nobody.auth.signIn.mutate({ email: OWNER.email, password: OWNER.password });
    },
  };
  return fleet;
}

function makeClient(fleet: TestFleet, session?: { sid: string; user: UserView }) {
  return createTRPCClient<AppRouter>({
    links: [
      httpLink({
        url: `${fleet.url}/trpc`,
        transformer: superjson,
        async headers() {
          const token = await fleet.bridgeToken(session ? { sub: session.user.id, sid: session.sid } : {});
          return { authorization: `Bearer ${token}` };
        },
      }),
    ],
  });
}

function signBridge(
  secrets: Secrets,
  { sub, sid }: { sub?: string; sid?: string },
  options: { audience: string; at: Date },
): Promise<string> {
  const jwt = new SignJWT(sid ? { sid } : {}).setProtectedHeader({ alg: 'HS256' }).setIssuedAt(options.at);
  jwt.setExpirationTime(new Date(options.at.getTime() + 60_000)).setAudience(options.audience);
  if (sub) jwt.setSubject(sub);
  return jwt.sign(secrets.bridgeKey);
}

async function listenOn(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

/** The stable code of a failed call. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (error instanceof TRPCClientError) return String(error.data?.failure?.code ?? error.message);
    return String(error);
  }
}

export { startTestDatabases };

/** Polls until the answer is truthy. */
export async function until<T>(ask: () => Promise<T | null | undefined | false>, what: string, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
