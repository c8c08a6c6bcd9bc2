/** The frame of every procedure: who calls, what it may, and how a failure reaches the console in four parts. */
import { failureText, type UserView } from '@diskfleet/protocol';
import { initTRPC, TRPCError } from '@trpc/server';
import superjson from 'superjson';
import * as z from 'zod';
import { mayRole, type Permission } from './auth/permissions.ts';
import type { Ctx } from './context.ts';
import { describeError, ServerError } from './errors.ts';

/** One call. `viaConsole`: the bridge signature was right. `session` is null for the few procedures of somebody not signed in. */
export interface Call {
  readonly ctx: Ctx;
  readonly viaConsole: boolean;
  readonly session: { readonly sidHash: string; readonly user: UserView } | null;
}

const t = initTRPC
  .context<Call>()
  .meta<{ permission: Permission }>()
  .create({
    transformer: superjson,
    sse: { ping: { enabled: true, intervalMs: 15_000 }, client: { reconnectAfterInactivityMs: 40_000 } },
    errorFormatter: ({ shape, error }) => {
      const { code, detail } = describeTrpcError(error);
      const text = failureText(code);
      return {
        ...shape,
        message: text.what,
        data: {
          code: shape.data.code,
          httpStatus: shape.data.httpStatus,
          path: shape.data.path,
          failure: { code, what: text.what, data: text.data, todo: text.todo, detail },
        },
      };
    },
  });

export const { router, createCallerFactory } = t;

/** For somebody not signed in; only the console can call these, since only it can sign the bridge token. */
export const openProcedure = t.procedure.meta({ permission: 'nobody' }).use(({ ctx: call, next }) => {
  if (!call.viaConsole) throw refused('UNAUTHORIZED', 'NOT_ALLOWED');
  return run(() => next());
});

/** For those whose role has the permission. */
export function allowed(permission: Exclude<Permission, 'nobody'>) {
  return t.procedure.meta({ permission }).use(({ ctx: call, next }) => {
    const { session } = call;
    if (!call.viaConsole || !session) throw refused('UNAUTHORIZED', 'NOT_ALLOWED');
    if (!mayRole(session.user.role, permission)) throw refused('FORBIDDEN', 'NOT_ALLOWED');
    return run(() => next({ ctx: { ...call, session } }));
  });
}

async function run<T extends { ok: boolean }>(next: () => Promise<T>): Promise<T> {
  const result = await next();
  if (
    'error' in result &&
    result.error instanceof TRPCError &&
    result.error.cause &&
    result.error.code === 'INTERNAL_SERVER_ERROR'
  ) {
    const { code, detail } = describeError(result.error.cause);
    throw new TRPCError({ code: trpcCodes[code] ?? 'BAD_REQUEST', message: detail, cause: result.error.cause });
  }
  return result;
}

function refused(code: 'UNAUTHORIZED' | 'FORBIDDEN', failure: 'NOT_ALLOWED'): TRPCError {
  return new TRPCError({ code, cause: new ServerError(failure) });
}

const trpcCodes: Record<string, TRPCError['code']> = {
  INTERNAL: 'INTERNAL_SERVER_ERROR',
  NOT_FOUND: 'NOT_FOUND',
  POINT_NOT_FOUND: 'NOT_FOUND',
  PATH_NOT_FOUND: 'NOT_FOUND',
  PARTITION_NOT_FOUND: 'NOT_FOUND',
  FS_NOT_FOUND: 'NOT_FOUND',
  NOT_ALLOWED: 'FORBIDDEN',
  SETUP_CLOSED: 'FORBIDDEN',
  SIGN_IN_FAILED: 'UNAUTHORIZED',
  TOO_MANY_TRIES: 'TOO_MANY_REQUESTS',
  AGENT_OFFLINE: 'PRECONDITION_FAILED',
  PLAN_EXPIRED: 'PRECONDITION_FAILED',
  CONFIRMATION_WRONG: 'BAD_REQUEST',
  VAULT_UNREACHABLE: 'BAD_GATEWAY',
};

function describeTrpcError(error: TRPCError): { code: string; detail: string } {
  if (error.cause instanceof z.ZodError) {
    const first = error.cause.issues[0];
    return { code: 'INVALID_INPUT', detail: first ? `${first.path.join('.')}: ${first.message}` : '' };
  }
  if (error.code === 'NOT_FOUND' && !error.cause) return { code: 'NOT_FOUND', detail: error.message };
  if (error.code === 'BAD_REQUEST' && !error.cause) return { code: 'INVALID_INPUT', detail: error.message };
  return describeError(error.cause);
}
