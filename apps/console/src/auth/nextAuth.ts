/** Sign-in for the browser. The server owns users and sessions; the cookie only carries which session this is. */
import type { NextAuthOptions } from 'next-auth';
import CredentialsProvider from 'next-auth/providers/credentials';
import * as z from 'zod';
import { failureOf } from '../trpc/failure';
import { serverClient } from './bridge';
import { sessionSecret } from './settings';

const maxAgeSeconds = 7 * 24 * 3600;
const claimsShape = z.object({ sub: z.string().min(1), sid: z.string().min(1) });
const signedInShape = z.object({ id: z.string(), sid: z.string(), name: z.string(), email: z.string() });

/** The claims of our cookie, or null for a cookie that is none of ours. */
export function readClaims(token: unknown): { userId: string; sid: string } | null {
  const parsed = claimsShape.safeParse(token);
  return parsed.success ? { userId: parsed.data.sub, sid: parsed.data.sid } : null;
}

export function authOptions(secure: boolean): NextAuthOptions {
  return {
    secret: sessionSecret(),
    useSecureCookies: secure,
    pages: { signIn: '/sign-in', error: '/sign-in' },
    session: { strategy: 'jwt', maxAge: maxAgeSeconds },
    jwt: { maxAge: maxAgeSeconds },
    providers: [
      CredentialsProvider({
        credentials: { email: {}, password: {} },
        authorize: async (credentials) => {
          if (!credentials) return null;
          try {
            const { sid, user } = await serverClient(null).auth.signIn.mutate(credentials);
            return { id: user.id, sid, name: user.name, email: user.email };
          } catch (error) {
            // The message travels to the form, which looks its texts up by the code.
            throw new Error(failureOf(error).code);
          }
        },
      }),
    ],
    callbacks: {
      jwt: ({ token, user }) => {
        const signedIn = signedInShape.safeParse(user);
        if (!signedIn.success) return token;
        const { id, sid, name, email } = signedIn.data;
        return { sub: id, sid, name, email };
      },
    },
    events: {
      signOut: async ({ token }) => {
        const caller = readClaims(token);
        // The cookie goes in any case; the session in the server's table ends with it, or by its age.
        if (caller)
          await serverClient(caller)
            .auth.signOut.mutate()
            .catch(() => undefined);
      },
    },
  };
}
