/**
 * The vault service: the only process that touches vault storage. It holds no content key: what it stores is sealed by the
 * writers. It trusts nothing but the server's signature on a capability token, and enforces append-only by itself.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { openVaultToken, rawPublicKey, type VaultToken } from '@diskfleet/protocol';
import { openStore, type Store, VaultError } from '@diskfleet/vault';
import type { Logger } from 'pino';
import * as z from 'zod';
import { ServiceError } from './errors.ts';
import { roomOf, testFolder } from './folderTest.ts';
import { handleObject, listObjects, usageOf } from './objects.ts';
import { openRegistry, type Registry } from './registry.ts';
import { sendJson } from './respond.ts';

export interface ServiceOptions {
  readonly dataFolder: string;
  /** Raw Ed25519 public key of the server, base64. */
  readonly serverPublicKey: string;
  readonly log: Logger;
  readonly now: () => Date;
}

interface Ctx extends ServiceOptions {
  readonly registry: Registry;
  readonly stores: Map<string, Promise<Store>>;
}

/** Makes the HTTP server; the caller listens and closes. */
export async function createVaultService(options: ServiceOptions): Promise<Server> {
  const ctx: Ctx = { ...options, registry: await openRegistry(options.dataFolder), stores: new Map() };
  const server = createServer((request, response) => {
    route(ctx, request, response).catch((error: unknown) => fail(ctx, request, response, error));
  });
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 80_000;
  server.requestTimeout = 300_000;
  return server;
}

async function route(ctx: Ctx, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://service.invalid');
  if (url.pathname === '/healthz') return sendJson(response, 200, { ok: true });
  const token = authenticate(ctx, request);
  if (request.method === 'POST' && url.pathname === '/v1/vaults') return registerVault(ctx, token, request, response);
  if (request.method === 'POST' && url.pathname === '/v1/test-folder') return tryFolder(token, request, response);
  const parts = /^\/v1\/vaults\/([A-Za-z0-9-]{1,64})\/(.*)$/.exec(url.pathname);
  if (!parts?.[1] || parts[2] === undefined) throw new ServiceError(404, 'NOT_FOUND', 'no such address');
  const [vaultId, rest] = [parts[1], decodeURIComponent(parts[2])];
  if (token.vaultId !== vaultId) throw new ServiceError(403, 'VAULT_REFUSED', 'the token is for another vault');
  const store = await storeOf(ctx, vaultId);
  const context = { token, store, request, response };
  if (rest.startsWith('objects/')) return handleObject(context, rest.slice('objects/'.length));
  if (rest === 'list' && request.method === 'GET') return listObjects(context, url.searchParams);
  if (rest === 'usage' && request.method === 'GET') {
    const folder = ctx.registry.folderOf(vaultId) ?? '';
    return sendJson(response, 200, { ...(await usageOf(store)), ...(await roomOf(folder)) });
  }
  throw new ServiceError(404, 'NOT_FOUND', 'no such address');
}

function authenticate(ctx: Ctx, request: IncomingMessage): VaultToken {
  const text = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (!text) throw new ServiceError(401, 'VAULT_REFUSED', 'a capability token is needed');
  const token = openVaultToken(rawPublicKey(ctx.serverPublicKey), text, ctx.now());
  if (typeof token === 'string') throw new ServiceError(401, 'VAULT_REFUSED', `the capability token is ${token}`);
  return token;
}

async function storeOf(ctx: Ctx, vaultId: string): Promise<Store> {
  const folder = ctx.registry.folderOf(vaultId);
  if (!folder) throw new ServiceError(404, 'VAULT_NOT_FOUND', 'this service has no such vault');
  const known = ctx.stores.get(vaultId);
  if (known) return known;
  const opening = openStore({ kind: 'directory', path: folder });
  ctx.stores.set(vaultId, opening);
  opening.catch(() => ctx.stores.delete(vaultId));
  return opening;
}

const registerShape = z.object({ vaultId: z.string().regex(/^[A-Za-z0-9-]{1,64}$/), folder: z.string().min(1).max(4096) });

async function registerVault(ctx: Ctx, token: VaultToken, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const input = await readJson(request, registerShape);
  if (!token.verbs.includes('admin') || token.vaultId !== input.vaultId)
    throw new ServiceError(403, 'VAULT_REFUSED', 'only the server registers vaults');
  await ctx.registry.register(input.vaultId, input.folder, ctx.now());
  sendJson(response, 201, { folder: ctx.registry.folderOf(input.vaultId) });
}

async function tryFolder(token: VaultToken, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!token.verbs.includes('admin')) throw new ServiceError(403, 'VAULT_REFUSED', 'only the server tests folders');
  const { folder } = await readJson(request, z.object({ folder: z.string().min(1).max(4096) }));
  sendJson(response, 200, await testFolder(folder));
}

async function readJson<T>(request: IncomingMessage, shape: z.ZodType<T>): Promise<T> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request) {
    if (!(piece instanceof Uint8Array)) continue;
    length += piece.length;
    if (length > 65_536) throw new ServiceError(413, 'INVALID_INPUT', 'the request is too long');
    pieces.push(piece);
  }
  const parsed = shape.safeParse(parseOrNull(Buffer.concat(pieces).toString('utf8')));
  if (!parsed.success) throw new ServiceError(400, 'INVALID_INPUT', z.prettifyError(parsed.error));
  return parsed.data;
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const statusOf: Partial<Record<VaultError['code'], number>> = {
  VAULT_OBJECT_MISSING: 404,
  VAULT_NOT_FOUND: 404,
  VAULT_FULL: 507,
  VAULT_REFUSED: 403,
  VAULT_EXISTS: 409,
};

function fail(ctx: Ctx, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const known = error instanceof ServiceError || error instanceof VaultError;
  const status = error instanceof ServiceError ? error.status : error instanceof VaultError ? (statusOf[error.code] ?? 500) : 500;
  const code = known ? error.code : 'INTERNAL';
  const message = known ? error.message : 'unexpected error';
  ctx.log[status >= 500 ? 'error' : 'warn'](
    { method: request.method, url: request.url?.slice(0, 300), status, code, err: known ? message : error },
    'request failed',
  );
  if (response.headersSent) return void response.destroy();
  // An unread body would be taken for the next request on this connection.
  if (!request.complete) response.setHeader('connection', 'close');
  sendJson(response, status, { error: { code, message } });
}
