/** The console's word to the server: who is calling, valid for a minute. */
import type { AppRouter } from '@diskfleet/server/router';
import { createTRPCClient, httpLink } from '@trpc/client';
import { SignJWT } from 'jose';
import superjson from 'superjson';
import { bridgeKey, serverUrl } from './settings';

export interface Caller {
  readonly userId: string;
  readonly sid: string;
}

/** Without a caller the token only proves that the console asks (set-up and sign-in). */
export async function signBridgeToken(caller: Caller | null): Promise<string> {
  const token = new SignJWT(caller ? { sid: caller.sid } : {})
    .setProtectedHeader({ alg: 'HS256' })
    .setAudience('diskfleet-server')
    .setIssuedAt()
    .setExpirationTime('60s');
  if (caller) token.setSubject(caller.userId);
  return token.sign(bridgeKey());
}

export function serverClient(caller: Caller | null) {
  return createTRPCClient<AppRouter>({
    links: [
      httpLink({
        url: `${serverUrl()}/trpc`,
        transformer: superjson,
        headers: async () => ({ authorization: `Bearer ${await signBridgeToken(caller)}` }),
      }),
    ],
  });
}
