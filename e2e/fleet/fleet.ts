/**
 * A small fleet of real processes on loopback: PostgreSQL, vault service, server, and agents in folders of their own, each
 * with its own disks (files on the fake platform), so that nothing works only because server and agent are one PC.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateIdentity } from '@diskfleet/protocol';
import type { JobDetail, JobView } from '@diskfleet/protocol/api';
import type { AppRouter } from '@diskfleet/server/router';
import { createTRPCClient, httpLink, type TRPCClient } from '@trpc/client';
import { SignJWT } from 'jose';
import superjson from 'superjson';
import { type RunningPostgres, startPostgres } from '../../infra/start/postgres.ts';
import { makeProcess, type Proc, until } from './process.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface FakeDisk {
  readonly path: string;
  readonly serial: string;
  readonly model?: string;
  readonly isSystemDisk?: boolean;
  readonly busyReason?: string | null;
}

export interface Member {
  readonly name: string;
  readonly id: string;
  readonly folder: string;
  readonly agent: Proc;
  readonly disks: readonly FakeDisk[];
}

export interface Fleet {
  readonly folder: string;
  readonly server: Proc;
  readonly vaultService: Proc;
  readonly serverUrl: string;
  readonly vaultUrl: string;
  readonly vaultFolder: string;
  /** For tests that let time pass: nothing else may touch it. */
  readonly database: { readonly host: string; readonly user: string; readonly password: string; readonly database: string };
  readonly api: TRPCClient<AppRouter>;
  /** A client that only the console's signature speaks for: nobody is signed in. */
  readonly anonymous: TRPCClient<AppRouter>;
  bearer(): Promise<string>;
  /** With `DISKFLEET_PLATFORM: 'real'` in `env` it has the disks of this PC, loop devices among them. */
  addMember(name: string, disks: readonly FakeDisk[], env?: Record<string, string>): Promise<Member>;
  createVault(name?: string): Promise<string>;
  waitJob(jobId: string, timeoutMs?: number): Promise<JobDetail>;
  healthy(): Promise<void>;
  stop(): Promise<void>;
}

const ended: readonly JobView['state'][] = ['succeeded', 'failed', 'cancelled', 'missed'];

export async function startFleet(): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-fleet-'));
  const [serverPort, vaultPort] = [await freePort(), await freePort()];
  const serverUrl = `http://127.0.0.1:${serverPort}`;
  const vaultUrl = `http://127.0.0.1:${vaultPort}`;
  const secrets = writeSecrets(folder);
  const postgres = await startPostgres({ dataFolder: join(folder, 'postgres'), log: () => {}, unsafeNoSync: true });
  const vaultService = makeProcess({
    name: 'vault service',
    script: join(root, 'apps/vault-service/dist/main.js'),
    env: {
      DISKFLEET_VAULT_PORT: String(vaultPort),
      DISKFLEET_VAULT_DATA: join(folder, 'vault-service'),
      DISKFLEET_SERVER_PUBLIC_KEY: secrets.publicKey,
    },
    logFile: join(folder, 'vault-service.log'),
  });
  const server = makeProcess({
    name: 'server',
    script: join(root, 'apps/server/dist/main.js'),
    env: {
      ...serverEnvironment(folder, postgres, secrets.setupToken),
      DISKFLEET_SERVER_PORT: String(serverPort),
      DISKFLEET_PUBLIC_URL: serverUrl,
      DISKFLEET_VAULT_URL: vaultUrl,
    },
    logFile: join(folder, 'server.log'),
  });
  const members: Member[] = [];
  const stop = async () => {
    for (const member of members) await member.agent.kill();
    await server.stop();
    await vaultService.stop();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const healthy = async () => {
    await until('the server', 30_000, async () => (await fetch(`${serverUrl}/healthz`)).ok);
    await until('the vault service', 30_000, async () => (await fetch(`${vaultUrl}/healthz`)).ok);
  };
  vaultService.start();
  server.start();
  await healthy().catch(async (error: Error) => {
    const logs = `${server.log().slice(0, 2000)}\n${vaultService.log().slice(0, 500)}`;
    await stop();
    throw new Error(`${error.message}\n${logs}`);
  });
  const anonymous = client(serverUrl, () => bridgeToken(secrets.bridgeKey, null));
  const owner = { name: 'Olga Owner', email: 'olga@example.org', password: 'correct horse battery' };
  await anonymous.setup.createOwner.mutate({ token: secrets.setupToken, ...owner });
  const session = await anonymous.auth.signIn.mutate({ email: owner.email, password: owner.password });
  const bearer = () => bridgeToken(secrets.bridgeKey, { sub: session.user.id, sid: session.sid });
  const api = client(serverUrl, bearer);
  const vaultFolder = join(folder, 'vault');
  return {
    folder,
    server,
    vaultService,
    serverUrl,
    vaultUrl,
    vaultFolder,
    database: postgres,
    api,
    anonymous,
    bearer,
    healthy,
    async addMember(name, disks, env = {}) {
      const member = await addMember({ folder, serverUrl, api }, name, disks, env);
      members.push(member);
      return member;
    },
    createVault: async (name = 'main') =>
      (await api.vaults.create.mutate({ name, folder: name === 'main' ? vaultFolder : join(folder, name) })).id,
    waitJob: (jobId, timeoutMs = 120_000) =>
      until(`job ${jobId}`, timeoutMs, async () => {
        const job = await api.jobs.get.query({ id: jobId });
        return ended.includes(job.state) ? job : null;
      }),
    stop,
  };
}

async function addMember(
  fleet: { folder: string; serverUrl: string; api: TRPCClient<AppRouter> },
  name: string,
  disks: readonly FakeDisk[],
  env: Record<string, string>,
): Promise<Member> {
  const folder = join(fleet.folder, `agent-${name}`);
  mkdirSync(folder, { recursive: true });
  const machineFile = join(folder, 'machine.json');
  writeFileSync(machineFile, JSON.stringify({ hostname: name, serial: `SN-${name}`, disks }));
  const { token } = await fleet.api.machines.createEnrolToken.mutate({ ttlMinutes: 10, autoApprove: false });
  const agent = makeProcess({
    name: `agent ${name}`,
    script: join(root, 'agent/dist/diskfleet.js'),
    args: ['run'],
    env: {
      DISKFLEET_AGENT_DATA: folder,
      DISKFLEET_PLATFORM: 'fake',
      DISKFLEET_FAKE_MACHINE: machineFile,
      DISKFLEET_ENROL_URL: fleet.serverUrl,
      DISKFLEET_ENROL_TOKEN: token,
      ...env,
    },
    logFile: join(folder, 'agent.log'),
  });
  agent.start();
  const pending = await until(`${name} in the waiting room`, 30_000, async () =>
    // One machine at a time is added, so the one that waits is it; a real PC says its own host name.
    (await fleet.api.machines.list.query({ state: 'pending' })).find(
      (machine) => machine.hostname === (env.DISKFLEET_PLATFORM === 'real' ? hostname() : name),
    ),
  );
  await fleet.api.machines.approve.mutate({ id: pending.id, name });
  await online(fleet.api, pending.id);
  return { name, id: pending.id, folder, agent, disks };
}

/** Waits until the machine's agent is connected and has said hello. */
export async function online(api: TRPCClient<AppRouter>, machineId: string, timeoutMs = 60_000): Promise<void> {
  await until(
    'the agent to connect',
    timeoutMs,
    async () => (await api.machines.get.query({ id: machineId })).connection === 'online',
  );
}

function client(serverUrl: string, token: () => Promise<string>): TRPCClient<AppRouter> {
  return createTRPCClient<AppRouter>({
    links: [
      httpLink({
        url: `${serverUrl}/trpc`,
        transformer: superjson,
        headers: async () => ({ authorization: `Bearer ${await token()}` }),
      }),
    ],
  });
}

function bridgeToken(key: Buffer, who: { sub: string; sid: string } | null): Promise<string> {
  return new SignJWT(who ?? {})
    .setProtectedHeader({ alg: 'HS256' })
    .setAudience('diskfleet-server')
    .setIssuedAt()
    .setExpirationTime('60s')
    .sign(key);
}

function writeSecrets(folder: string) {
  const identity = generateIdentity();
  const bridgeKey = randomBytes(32);
  writeFileSync(join(folder, 'server.json'), JSON.stringify(identity), { mode: 0o600 });
  writeFileSync(join(folder, 'master.key'), randomBytes(32).toString('base64'), { mode: 0o600 });
  writeFileSync(join(folder, 'bridge.key'), bridgeKey.toString('base64'), { mode: 0o600 });
  return { publicKey: identity.publicKey, bridgeKey, setupToken: randomBytes(24).toString('base64url') };
}

function serverEnvironment(folder: string, postgres: RunningPostgres, setupToken: string): Record<string, string> {
  return {
    PGHOST: postgres.host,
    PGUSER: postgres.user,
    PGPASSWORD: postgres.password,
    PGDATABASE: postgres.database,
    DISKFLEET_MASTER_KEY_FILE: join(folder, 'master.key'),
    DISKFLEET_SERVER_IDENTITY_FILE: join(folder, 'server.json'),
    DISKFLEET_BRIDGE_KEY_FILE: join(folder, 'bridge.key'),
    DISKFLEET_SETUP_TOKEN: setupToken,
  };
}

export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      probe.close(() => (port ? done(port) : fail(new Error('no free port'))));
    });
  });
}
