/** How a new PC comes in: one transaction spends the token, makes machine and agent, and writes the audit entry. */
import { randomBytes } from 'node:crypto';
import { agents, enrolTokens, machines, type Queries } from '@diskfleet/db';
import {
  type EnrolRequest,
  type EnrolResponse,
  keyFingerprint,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  rawPublicKey,
  type UserView,
} from '@diskfleet/protocol';
import { and, eq, gt, isNull } from 'drizzle-orm';
import { audit } from '../audit/append.ts';
import { hashToken } from '../auth/sessions.ts';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { inventoryColumns } from './brief.ts';

type TokenRow = typeof enrolTokens.$inferSelect;

/** @throws ServerError ENROL_TOKEN_INVALID, AGENT_TOO_OLD, AGENT_TOO_NEW, INVALID_INPUT (no such kind of key). */
export async function enrol(ctx: Ctx, request: EnrolRequest): Promise<EnrolResponse> {
  if (request.protocolVersion < PROTOCOL_VERSION_MIN) throw new ServerError('AGENT_TOO_OLD');
  if (request.protocolVersion > PROTOCOL_VERSION) throw new ServerError('AGENT_TOO_NEW');
  checkKey(request.publicKey);
  const made = await ctx.db.transaction(async (tx) => {
    const known = await enrolledBefore(ctx, tx, request);
    if (known) return known;
    const token = await spend(ctx, tx, request.token);
    return insertMachine(ctx, tx, { request, token });
  });
  ctx.live.publish({ kind: 'machine', machineId: made.machineId });
  const { serverId, publicKey: serverPublicKey } = ctx.secrets.identity;
  return { ...made, serverId, serverPublicKey };
}

function checkKey(publicKey: string): void {
  try {
    rawPublicKey(publicKey);
  } catch (cause) {
    throw new ServerError('INVALID_INPUT', 'the public key is not an Ed25519 key', { cause });
  }
}

interface Enrolled {
  readonly machineId: string;
  readonly state: 'pending' | 'approved';
}

/**
 * The same key again: the answer it got before, e.g. when that answer was lost. It takes the token it was enrolled with, or another
 * good one; a revoked machine comes back through the waiting room and spends the new token.
 */
async function enrolledBefore(ctx: Ctx, tx: Queries, request: EnrolRequest): Promise<Enrolled | null> {
  const [known] = await tx
    .select({ id: machines.id, name: machines.name, state: machines.state })
    .from(agents)
    .innerJoin(machines, eq(machines.id, agents.machineId))
    .where(eq(agents.publicKey, request.publicKey))
    .for('update');
  if (!known) return null;
  const [token] = await tx
    .select()
    .from(enrolTokens)
    .where(eq(enrolTokens.tokenHash, hashToken(request.token)));
  const isOwn = token?.spentBy === known.id;
  if (known.state !== 'revoked') {
    if (!isOwn && !(token && isGood(ctx, token))) throw new ServerError('ENROL_TOKEN_INVALID');
    return { machineId: known.id, state: known.state };
  }
  const spent = await spend(ctx, tx, request.token);
  const state = spent.autoApprove ? 'approved' : 'pending';
  const at = ctx.now();
  await tx.update(enrolTokens).set({ spentBy: known.id }).where(eq(enrolTokens.id, spent.id));
  await tx
    .update(machines)
    .set({ state, approvedAt: spent.autoApprove ? at : null, ...inventoryColumns(request.inventory) })
    .where(eq(machines.id, known.id));
  await audit(tx, { at, actor: `agent ${known.name}`, action: 'machines.enrolAgain', subject: known.name });
  return { machineId: known.id, state };
}

function isGood(ctx: Ctx, token: TokenRow): boolean {
  return token.spentAt === null && token.expiresAt > ctx.now();
}

/** The row lock of the update makes one winner of any number that come at once. */
async function spend(ctx: Ctx, tx: Queries, token: string): Promise<TokenRow> {
  const at = ctx.now();
  const [spent] = await tx
    .update(enrolTokens)
    .set({ spentAt: at })
    .where(and(eq(enrolTokens.tokenHash, hashToken(token)), isNull(enrolTokens.spentAt), gt(enrolTokens.expiresAt, at)))
    .returning();
  if (!spent) throw new ServerError('ENROL_TOKEN_INVALID');
  return spent;
}

async function insertMachine(
  ctx: Ctx,
  tx: Queries,
  { request, token }: { request: EnrolRequest; token: TokenRow },
): Promise<Enrolled> {
  const at = ctx.now();
  const { inventory, publicKey, agentVersion, protocolVersion } = request;
  const state = token.autoApprove ? 'approved' : 'pending';
  const name = inventory.hostname.trim() || 'unnamed PC';
  const values = {
    name,
    state,
    ...inventoryColumns(inventory),
    enrolledAt: at,
    approvedAt: token.autoApprove ? at : null,
  } as const;
  const [machine] = await tx.insert(machines).values(values).returning();
  if (!machine) throw new ServerError('INTERNAL', 'a new machine was not stored');
  await tx.insert(agents).values({ machineId: machine.id, publicKey, agentVersion, protocolVersion, lastSeenAt: at });
  await tx.update(enrolTokens).set({ spentBy: machine.id }).where(eq(enrolTokens.id, token.id));
  const detail = `key ${keyFingerprint(publicKey)}, token of ${token.createdBy}`;
  await audit(tx, { at, actor: `agent ${name}`, action: 'machines.enrol', subject: name, detail });
  return { machineId: machine.id, state };
}

/** Typed after a command, so it must not look like one of its options: base64url alone begins with a dash one time in 64. */
export function newEnrolToken(random: (bytes: number) => Buffer = randomBytes): string {
  return `dfe_${random(18).toString('base64url')}`;
}

/** The token is shown once; the database keeps its hash. */
export async function createEnrolToken(
  ctx: Ctx,
  user: UserView,
  input: { ttlMinutes: number; autoApprove: boolean },
): Promise<{ token: string; installLine: string; expiresAt: string }> {
  const token = newEnrolToken();
  const createdAt = ctx.now();
  const expiresAt = new Date(createdAt.getTime() + input.ttlMinutes * 60_000);
  await ctx.db.transaction(async (tx) => {
    const { autoApprove } = input;
    await tx
      .insert(enrolTokens)
      .values({ tokenHash: hashToken(token), autoApprove, expiresAt, createdBy: user.email, createdAt });
    const detail = `${input.ttlMinutes} minutes, ${autoApprove ? 'approved at once' : 'waiting room'}`;
    await audit(tx, { at: createdAt, actor: user.email, action: 'machines.createEnrolToken', subject: '', detail });
  });
  const installLine = `diskfleet enrol ${ctx.settings.publicUrl} ${token} && diskfleet run`;
  return { token, installLine, expiresAt: expiresAt.toISOString() };
}

const TEN_YEARS_MS = 10 * 365 * 86_400_000;

/** The token of the PC the server itself runs on, given by the start script: one use, through the waiting room. */
export async function knowLocalToken(ctx: Ctx): Promise<void> {
  const token = ctx.settings.localEnrolToken;
  if (!token) return;
  const createdAt = ctx.now();
  const expiresAt = new Date(createdAt.getTime() + TEN_YEARS_MS);
  const values = { tokenHash: hashToken(token), autoApprove: false, expiresAt, createdBy: 'start', createdAt };
  await ctx.db.insert(enrolTokens).values(values).onConflictDoNothing();
}
