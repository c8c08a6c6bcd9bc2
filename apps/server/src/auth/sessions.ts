/** Signed-in browsers. The id is 256 random bits, kept in the browser's sealed cookie; the database knows its hash. */
import { createHash, randomBytes } from 'node:crypto';
import { authSessions, users } from '@diskfleet/db';
import type { UserView } from '@diskfleet/protocol';
import { and, eq, gt, isNull } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { checkPassword } from './passwords.ts';

const SESSION_DAYS = 14;

export function hashToken(token: string): string {
  return createHash('sha256').update(token, 'utf8').digest('hex');
}

/** @throws ServerError SIGN_IN_FAILED, TOO_MANY_TRIES. */
export async function signIn(ctx: Ctx, input: { email: string; password: string }): Promise<{ sid: string; user: UserView }> {
  const email = input.email.trim().toLowerCase();
  const at = ctx.now();
  if (!ctx.limits.signIn.take(email) || !ctx.limits.signInAll.take('')) {
    throw new ServerError('TOO_MANY_TRIES', '', { retry: 'later' });
  }
  const [user] = await ctx.db.select().from(users).where(eq(users.email, email));
  if (!(await checkPassword(user?.passwordHash ?? null, input.password)) || !user) {
    await audit(ctx.db, { at, actor: email, action: 'auth.signInFailed', subject: email });
    throw new ServerError('SIGN_IN_FAILED');
  }
  ctx.limits.signIn.forget(email);
  const sid = randomBytes(32).toString('base64url');
  const expiresAt = new Date(at.getTime() + SESSION_DAYS * 86_400_000);
  await ctx.db.transaction(async (tx) => {
    await tx.insert(authSessions).values({ sidHash: hashToken(sid), userId: user.id, createdAt: at, expiresAt });
    await audit(tx, { at, actor: email, action: 'auth.signIn', subject: email });
  });
  return { sid, user: toUserView(user) };
}

/** Who this session belongs to, while it lasts. */
export async function findSession(ctx: Ctx, sid: string, userId: string): Promise<{ sidHash: string; user: UserView } | null> {
  return findSessionByHash(ctx, hashToken(sid), userId);
}

export async function findSessionByHash(ctx: Ctx, sidHash: string, userId: string) {
  const live = and(eq(authSessions.sidHash, sidHash), isNull(authSessions.endedAt), gt(authSessions.expiresAt, ctx.now()));
  const [row] = await ctx.db
    .select({ user: users })
    .from(authSessions)
    .innerJoin(users, eq(users.id, authSessions.userId))
    .where(live);
  return row && row.user.id === userId ? { sidHash, user: toUserView(row.user) } : null;
}

export async function signOut(ctx: Ctx, session: { sidHash: string; user: UserView }): Promise<void> {
  const at = ctx.now();
  await ctx.db.update(authSessions).set({ endedAt: at }).where(eq(authSessions.sidHash, session.sidHash));
  await audit(ctx.db, { at, actor: session.user.email, action: 'auth.signOut', subject: session.user.email });
}

/** Re-authentication before something dangerous. @throws ServerError SIGN_IN_FAILED, TOO_MANY_TRIES. */
export async function confirmPassword(ctx: Ctx, user: UserView, password: string): Promise<void> {
  if (!ctx.limits.signIn.take(user.email)) throw new ServerError('TOO_MANY_TRIES', '', { retry: 'later' });
  const [row] = await ctx.db.select().from(users).where(eq(users.id, user.id));
  if (!(await checkPassword(row?.passwordHash ?? null, password))) throw new ServerError('SIGN_IN_FAILED');
  ctx.limits.signIn.forget(user.email);
}

export function toUserView({ id, name, email, role }: typeof users.$inferSelect): UserView {
  return { id, name, email, role };
}
