/** The first owner: made once with the printed token; afterwards a database constraint keeps the door shut for ever. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { setupDone, users } from '@diskfleet/db';
import type { UserView } from '@diskfleet/protocol';
import { audit } from '../audit/append.ts';
import { hashPassword } from '../auth/passwords.ts';
import { toUserView } from '../auth/sessions.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';

export async function needsOwner(ctx: Ctx): Promise<boolean> {
  return (await ctx.db.$count(setupDone)) === 0;
}

interface NewOwner {
  readonly token: string;
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

/** @throws ServerError SETUP_CLOSED, NOT_ALLOWED (wrong token), TOO_MANY_TRIES. */
export async function createOwner(ctx: Ctx, input: NewOwner): Promise<UserView> {
  if (!(await needsOwner(ctx))) throw new ServerError('SETUP_CLOSED');
  if (!ctx.limits.setup.take('')) throw new ServerError('TOO_MANY_TRIES', '', { retry: 'later' });
  if (!isSetupToken(ctx, input.token)) throw new ServerError('NOT_ALLOWED', 'the setup token is not the one that was printed');
  const at = ctx.now();
  const email = input.email.toLowerCase();
  const passwordHash = await hashPassword(input.password);
  return ctx.db.transaction(async (tx) => {
    const owner = { name: input.name, email, passwordHash, role: 'owner', createdAt: at } as const;
    const [user] = await tx.insert(users).values(owner).onConflictDoNothing().returning();
    if (!user) throw new ServerError('SETUP_CLOSED');
    const marked = await tx.insert(setupDone).values({ id: 1, ownerId: user.id, at }).onConflictDoNothing().returning();
    if (marked.length === 0) throw new ServerError('SETUP_CLOSED');
    await audit(tx, { at, actor: email, action: 'setup.createOwner', subject: email });
    return toUserView(user);
  });
}

function isSetupToken(ctx: Ctx, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text, 'utf8').digest();
  return ctx.settings.setupToken !== null && timingSafeEqual(hash(token), hash(ctx.settings.setupToken));
}
