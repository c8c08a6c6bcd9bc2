/** Who may ask what, decided before anything is done. Pure: headers in, verdict out. */

/** Calls open to somebody who is not signed in; sign-in itself goes through NextAuth only. */
const openCalls = new Set(['setup.status', 'setup.createOwner']);

/** `/api/trpc/a.b,c.d` → whether every call of the batch is open to somebody not signed in. */
export function isOpenCall(pathname: string): boolean {
  const calls = pathname.slice('/api/trpc/'.length).split(',');
  return calls.every((call) => openCalls.has(decodeURIComponent(call)));
}

/** Nobody signs in around NextAuth, signed in or not: the answer carries a session id. */
export function isHiddenCall(pathname: string): boolean {
  return decodeURIComponent(pathname).split(/[/,]/).includes('auth.signIn');
}

/**
 * A web page of another origin must neither command nor read anything here. Browsers say where a request comes from;
 * one that says nothing (a tool) is no web page and still needs the cookie.
 */
export function isCrossSite(method: string, headers: Headers): boolean {
  const host = headers.get('host');
  const origin = headers.get('origin');
  if (origin !== null && URL.parse(origin)?.host !== host) return true;
  const site = headers.get('sec-fetch-site');
  const reads = method === 'GET' || method === 'HEAD';
  if (site === 'cross-site' || site === 'same-site') return !(reads && headers.get('sec-fetch-mode') === 'navigate');
  return false;
}

/** DNS rebinding needs a name: addresses and loopback are safe, names have to be listed. */
export function isAllowedHost(host: string | null, names: readonly string[]): boolean {
  if (!host) return false;
  const name = URL.parse(`http://${host}`)?.hostname.toLowerCase() ?? '';
  if (name === '') return false;
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (name.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}$/.test(name)) return true;
  return names.includes(name);
}

/** `next` after signing in: a path of ours, never another site. */
export function safeNextPath(next: string | null): string {
  return next?.startsWith('/') && !next.startsWith('//') && !next.includes('\\') ? next : '/';
}

export function contentSecurityPolicy(nonce: string, development: boolean): string {
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${development ? " 'unsafe-eval'" : ''}`,
    development ? "style-src 'self' 'unsafe-inline'" : `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

export const securityHeaders: readonly (readonly [string, string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Permissions-Policy', 'camera=(), microphone=(), geolocation=(), payment=(), usb=()'],
];
