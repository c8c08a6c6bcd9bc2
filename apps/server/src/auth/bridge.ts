/**
 * The console's signature on every call it passes on: a JWT of at most 60 seconds. With `sub` and `sid` it speaks for a signed-in
 * user, whose session is looked up each time; without, for somebody who is not signed in.
 */
import type { IncomingMessage } from 'node:http';
import { jwtVerify } from 'jose';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import type { Call } from '../trpc.ts';
import { findSession } from './sessions.ts';

const claims = z.object({ sub: z.uuid().optional(), sid: z.string().max(200).optional(), iat: z.number(), exp: z.number() });

export async function authenticate(ctx: Ctx, request: IncomingMessage): Promise<Call> {
  const nobody = { ctx, viaConsole: false, session: null };
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (!token) return nobody;
  const parsed = await verifyBridge(ctx, token);
  if (!parsed) return nobody;
  const { sub, sid } = parsed;
  const session = sub && sid ? await findSession(ctx, sid, sub) : null;
  return { ctx, viaConsole: true, session };
}

async function verifyBridge(ctx: Ctx, token: string): Promise<z.infer<typeof claims> | null> {
  try {
    const { payload } = await jwtVerify(token, ctx.secrets.bridgeKey, {
      algorithms: ['HS256'],
      audience: 'diskfleet-server',
      maxTokenAge: '60s',
      clockTolerance: 5,
      currentDate: ctx.now(),
      requiredClaims: ['exp', 'iat'],
    });
    const parsed = claims.safeParse(payload);
    return parsed.success && parsed.data.exp - parsed.data.iat <= 60 ? parsed.data : null;
  } catch {
    return null;
  }
}
