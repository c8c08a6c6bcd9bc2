/** What the console is told by its environment, read when first needed: nothing of it is known at build time. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

let cachedSecret: string | undefined;
let cachedBridgeKey: Uint8Array | undefined;

export function serverUrl(): string {
  return process.env.DISKFLEET_SERVER_URL ?? 'http://127.0.0.1:7301';
}

export function sessionSecret(): string {
  cachedSecret ??= readSecret('NEXTAUTH_SECRET_FILE');
  return cachedSecret;
}

/** Shared with the server; whoever holds it may speak for a signed-in person. */
export function bridgeKey(): Uint8Array {
  cachedBridgeKey ??= Buffer.from(readSecret('DISKFLEET_BRIDGE_KEY_FILE'), 'base64');
  return cachedBridgeKey;
}

/** Names under which browsers may ask for the console, besides loopback and plain addresses. */
export function allowedHostNames(): readonly string[] {
  const listed = (process.env.DISKFLEET_CONSOLE_HOSTS ?? '').split(',').map((name) => name.trim().toLowerCase());
  const own = URL.parse(process.env.DISKFLEET_CONSOLE_URL ?? '')?.hostname ?? '';
  return [...listed, own, hostname().toLowerCase()].filter((name) => name !== '');
}

/** Browsers drop `Secure` cookies on plain http, so they are used exactly when the console is reached over TLS. */
export function isSecure(headers: Headers): boolean {
  return headers.get('x-forwarded-proto')?.split(',')[0]?.trim() === 'https';
}

function readSecret(variable: string): string {
  const file = process.env[variable];
  if (!file) throw new Error(`${variable} is not set`);
  const secret = readFileSync(file, 'utf8').trim();
  if (secret.length < 32) throw new Error(`the secret in ${variable} is too short`);
  return secret;
}
