/**
 * Every request of a browser passes here first: is the host ours, is it the person's own page that asks, who is signed in.
 * Calls are then handed to the server with a token of one minute; the console itself decides nothing about permissions.
 */

import { type NextRequest, NextResponse } from 'next/server';
import { getToken } from 'next-auth/jwt';
import { type Caller, signBridgeToken } from './auth/bridge';
import { readClaims } from './auth/nextAuth';
import {
  contentSecurityPolicy,
  isAllowedHost,
  isCrossSite,
  isHiddenCall,
  isOpenCall,
  securityHeaders,
} from './auth/requestRules';
import { allowedHostNames, isSecure, serverUrl, sessionSecret } from './auth/settings';
import { failureByCode } from './trpc/failure';

export const config = { matcher: ['/((?!_next/static|_next/image|icon.svg|favicon.ico).*)'] };

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const response = await route(request);
  for (const [name, value] of securityHeaders) response.headers.set(name, value);
  return response;
}

async function route(request: NextRequest): Promise<NextResponse> {
  const { pathname } = request.nextUrl;
  if (!isAllowedHost(request.headers.get('host'), allowedHostNames())) {
    return new NextResponse('This host name is not configured for the console.', { status: 421 });
  }
  if (isCrossSite(request.method, request.headers)) return refuse(403, 'NOT_ALLOWED', 'asked by another web site');
  if (pathname.startsWith('/api/auth/')) return NextResponse.next();
  const token = await getToken({ req: request, secret: sessionSecret(), secureCookie: isSecure(request.headers) });
  const caller = readClaims(token);
  if (pathname.startsWith('/api/trpc/') || pathname.startsWith('/api/download/')) return toServer(request, caller);
  if (pathname.startsWith('/api/')) return refuse(404, 'NOT_FOUND', '');
  return page(request, caller);
}

async function toServer(request: NextRequest, caller: Caller | null): Promise<NextResponse> {
  const { pathname, search } = request.nextUrl;
  if (isHiddenCall(pathname)) return refuse(404, 'NOT_FOUND', '');
  if (!caller && !isOpenCall(pathname)) return refuse(401, 'NOT_ALLOWED', 'not signed in');
  const headers = new Headers(request.headers);
  headers.delete('cookie');
  headers.set('authorization', `Bearer ${await signBridgeToken(caller)}`);
  return NextResponse.rewrite(new URL(pathname.slice('/api'.length) + search, serverUrl()), { request: { headers } });
}

async function page(request: NextRequest, caller: Caller | null): Promise<NextResponse> {
  const { pathname, search } = request.nextUrl;
  const entry = pathname === '/sign-in' || pathname === '/setup';
  if (!caller && !entry) {
    if (await needsOwner()) return redirect(request, '/setup');
    return redirect(request, pathname === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(pathname + search)}`);
  }
  if (caller && pathname === '/sign-in') return redirect(request, '/');
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64');
  const policy = contentSecurityPolicy(nonce, process.env.NODE_ENV === 'development');
  const headers = new Headers(request.headers);
  headers.set('x-nonce', nonce);
  headers.set('content-security-policy', policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set('content-security-policy', policy);
  return response;
}

/** The host header was checked, and is what the browser knows us by. */
function redirect(request: NextRequest, path: string): NextResponse {
  const origin = `${isSecure(request.headers) ? 'https' : 'http'}://${request.headers.get('host')}`;
  return NextResponse.redirect(new URL(path, origin), 307);
}

async function needsOwner(): Promise<boolean> {
  try {
    const answer = await fetch(`${serverUrl()}/healthz`, { signal: AbortSignal.timeout(2000) });
    const health: unknown = await answer.json();
    return typeof health === 'object' && health !== null && 'needsOwner' in health && health.needsOwner === true;
  } catch {
    return false;
  }
}

/** In the shape of the server's own errors, so that the page shows it the same way. */
function refuse(status: 401 | 403 | 404, code: string, detail: string): NextResponse {
  const names = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 404: 'NOT_FOUND' } as const;
  const failure = failureByCode(code, detail);
  const error = { message: failure.what, code: -32001, data: { code: names[status], httpStatus: status, failure } };
  return NextResponse.json({ error: { json: error } }, { status });
}
