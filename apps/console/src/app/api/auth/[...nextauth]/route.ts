import type { NextRequest } from 'next/server';
import NextAuth from 'next-auth';
import { authOptions } from '@/auth/nextAuth';
import { isSecure } from '@/auth/settings';

interface Context {
  readonly params: Promise<{ nextauth: string[] }>;
}

/** The host was checked by the proxy, so it may be trusted here. */
process.env.AUTH_TRUST_HOST ??= 'true';

async function handle(request: NextRequest, context: Context): Promise<Response> {
  return NextAuth(request, context, authOptions(isSecure(request.headers)));
}

export { handle as GET, handle as POST };
