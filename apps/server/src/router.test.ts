import { users } from '@diskfleet/db';
import type { Role } from '@diskfleet/protocol';
import { createTRPCClient, httpLink } from '@trpc/client';
import { eq } from 'drizzle-orm';
import { SignJWT } from 'jose';
import superjson from 'superjson';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { mayRole, permissions } from './auth/permissions.ts';
import { type AppRouter, appRouter } from './router.ts';
import { codeOf, OWNER, SETUP_TOKEN, startTestDatabases, startTestFleet, type TestFleet } from './testing/fleet.ts';

let databases: Awaited<ReturnType<typeof startTestDatabases>>;
let fleet: TestFleet;
beforeAll(async () => {
  databases = await startTestDatabases();
  fleet = await startTestFleet(databases);
});
afterAll(async () => {
  await fleet.stop();
  await databases.stop();
});

const definition = z.object({ type: z.string(), meta: z.object({ permission: z.enum(permissions) }).optional() });
const procedures = Object.entries<unknown>(appRouter._def.procedures).map(([path, procedure]) => {
  const { type, meta } = definition.parse(typeof procedure === 'function' && '_def' in procedure ? procedure._def : null);
  return { path, kind: type, permission: meta?.permission };
});

describe('every procedure', () => {
  test.each(procedures)('$path declares its permission', ({ permission }) => {
    expect(permissions).toContain(permission);
  });

  test('the contract is complete', () => {
    expect(procedures.map(({ path }) => path).sort()).toEqual(
      `audit.list audit.verify auth.me auth.signIn auth.signOut explorer.list jobs.backupNow jobs.cancel jobs.explore jobs.get jobs.list
      jobs.planBackup jobs.restoreFiles jobs.retry jobs.verify live.events machines.approve machines.createEnrolToken machines.get machines.list
      machines.refresh machines.reject machines.rename machines.revoke overview.get points.get points.list points.remove points.setComment
      points.setPinned points.undelete restores.get restores.plan restores.start setup.createOwner setup.status vaults.adminToken vaults.create vaults.get
      vaults.keeping vaults.list vaults.previewPrune vaults.recoveryKit vaults.setPolicy vaults.setRule vaults.tend vaults.testFolder`
        .split(/\s+/)
        .sort(),
    );
  });

  /** Calls with no input: what may call gets past the permission and fails at the input or succeeds; what may not is turned away. */
  async function ask(path: string, kind: string, authorization: string | null): Promise<number> {
    const response = await fetch(`${fleet.url}/trpc/${path}`, {
      method: kind === 'mutation' ? 'POST' : 'GET',
      headers: {
        ...(authorization ? { authorization } : {}),
        ...(kind === 'mutation' ? { 'content-type': 'application/json' } : {}),
        ...(kind === 'subscription' ? { accept: 'text/event-stream' } : {}),
      },
      body: kind === 'mutation' ? '{"json":{"not":"valid"}}' : undefined,
    });
    if (kind !== 'subscription') {
      await response.body?.cancel();
      return response.status;
    }
    // A refused stream says so in its first event.
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (
      !/event: (connected|serialized-error)[\s\S]*?\n\n/.test(text) ||
      (text.includes('event: connected') && !/\nid:|httpStatus/.test(text))
    ) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done) break;
      text += value;
    }
    await reader?.cancel();
    return Number(/"httpStatus":(\d+)/.exec(text)?.[1] ?? response.status);
  }

  test.each(['none', 'garbage', 'other audience', 'expired', 'other key', 'too long', 'unsigned'])(
    'is closed to a caller whose bridge token is: %s',
    async (how) => {
      const sign = (key: Uint8Array, audience: string, seconds: number) =>
        new SignJWT({ sid: 'x' })
          .setProtectedHeader({ alg: 'HS256' })
          .setAudience(audience)
          .setSubject(crypto.randomUUID())
          .setIssuedAt(Math.floor(Date.now() / 1000) - (seconds < 0 ? 120 : 0))
          .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
          .sign(key);
      const key = fleet.secrets.bridgeKey;
      const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const tokens: Record<string, string> = {
        none: '',
        garbage: 'a.b.c',
        'other audience': await sign(key, 'somebody-else', 50),
        expired: await sign(key, 'diskfleet-server', -60),
        'other key': await sign(Buffer.alloc(32, 7), 'diskfleet-server', 50),
        'too long': await sign(key, 'diskfleet-server', 600),
        unsigned: `${part({ alg: 'none' })}.${part({ aud: 'diskfleet-server', iat: Date.now() / 1000, exp: Date.now() / 1000 + 50 })}.`,
      };
      for (const { path, kind } of procedures) {
        expect(await ask(path, kind, tokens[how] ? `Bearer ${tokens[how]}` : null), path).toBe(401);
      }
    },
  );

  test('opens only what is for nobody to the console without a user, and nothing to an invented session', async () => {
    const nobody = await fleet.bridgeToken({});
    const { user } = await fleet.owner();
    const invented = await fleet.bridgeToken({ sub: user.id, sid: 'invented' });
    for (const { path, kind, permission } of procedures) {
      const isOpen = permission === 'nobody';
      expect((await ask(path, kind, `Bearer ${nobody}`)) === 401, `${path} to nobody`).toBe(!isOpen);
      expect((await ask(path, kind, `Bearer ${invented}`)) === 401, `${path} to an invented session`).toBe(!isOpen);
    }
  });

  test.each<Role>(['owner', 'admin', 'operator', 'restore-only', 'auditor'])('obeys the role %s', async (role) => {
    const { sid, user } = await fleet.owner();
    const { db } = fleet.server.ctx;
    await db.update(users).set({ role }).where(eq(users.id, user.id));
    const token = await fleet.bridgeToken({ sub: user.id, sid });
    for (const { path, kind, permission } of procedures) {
      if (path === 'auth.signOut' || permission === undefined || permission === 'nobody') continue;
      expect((await ask(path, kind, `Bearer ${token}`)) === 403, path).toBe(!mayRole(role, permission));
    }
    await db.update(users).set({ role: 'owner' }).where(eq(users.id, user.id));
  });
});

test('setup takes the printed token only, and closes for ever', async () => {
  const own = await startTestFleet(databases);
  const console_ = own.client();
  expect(await console_.setup.status.query()).toEqual({ needsOwner: true });
  expect(await (await fetch(`${own.url}/healthz`)).json()).toMatchObject({ ok: true, needsOwner: true });
  expect(await codeOf(console_.setup.createOwner.mutate({ ...OWNER, token: 'another-token-entirely' }))).toBe('NOT_ALLOWED');
  expect(await codeOf(console_.setup.createOwner.mutate({ ...OWNER, token: SETUP_TOKEN, password: 'short' }))).toBe(
    'INVALID_INPUT',
  );
  const tries = Array.from({ length: 5 }, (_, n) =>
    codeOf(console_.setup.createOwner.mutate({ ...OWNER, token: SETUP_TOKEN, email: `o${n}@example.org` })),
  );
  expect((await Promise.all(tries)).sort()).toEqual(['SETUP_CLOSED', 'SETUP_CLOSED', 'SETUP_CLOSED', 'SETUP_CLOSED', 'none']);
  expect(await own.server.ctx.db.$count(users)).toBe(1);
  await own.server.ctx.db.delete(users);
  expect(await codeOf(console_.setup.createOwner.mutate({ ...OWNER, token: SETUP_TOKEN }))).toBe('SETUP_CLOSED');
  expect(await console_.setup.status.query()).toEqual({ needsOwner: false });
  await own.stop();
});

test('signs in with the right password, says no more than no otherwise, and stops guessing', async () => {
  const session = await fleet.owner();
  const me = await fleet.client(session).auth.me.query();
  expect(me).toEqual({ id: session.user.id, name: OWNER.name, email: OWNER.email, role: 'owner' });
  const nobody = fleet.client();
  expect(await codeOf(nobody.auth.signIn.mutate({ email: OWNER.email, password: 'wrong' }))).toBe('SIGN_IN_FAILED');
  expect(await codeOf(nobody.auth.signIn.mutate({ email: 'x@example.org', password: 'wrong' }))).toBe('SIGN_IN_FAILED');
  const guesses: string[] = [];
  for (let n = 0; n < 12; n += 1)
    guesses.push(await codeOf(nobody.auth.signIn.mutate({ email: 'y@example.org', password: `${n}` })));
  expect(guesses.filter((code) => code === 'TOO_MANY_TRIES')).toHaveLength(2);
  await fleet.client(session).auth.signOut.mutate();
  expect(await codeOf(fleet.client(session).auth.me.query())).toBe('NOT_ALLOWED');
});

test('a failure reaches the console in four parts and keeps what is unexpected to itself', async () => {
  const client = fleet.client(await fleet.owner());
  await client.machines.get.query({ id: crypto.randomUUID() }).catch((error) => {
    expect(error.data.failure).toEqual({
      code: 'NOT_FOUND',
      what: expect.stringMatching(/\.$/),
      data: expect.stringMatching(/\.$/),
      todo: expect.stringMatching(/\.$/),
      detail: 'machine',
    });
    expect(JSON.stringify(error)).not.toMatch(/node_modules|\.ts:/);
  });
  expect(await codeOf(client.points.get.query({ id: 'p' }))).toBe('POINT_NOT_FOUND');
  expect(await codeOf(client.machines.get.query({ id: 'no uuid' }))).toBe('INVALID_INPUT');
  const raw = createTRPCClient<AppRouter>({ links: [httpLink({ url: `${fleet.url}/trpc`, transformer: superjson })] });
  expect(await codeOf(raw.overview.get.query())).toBe('NOT_ALLOWED');
});
