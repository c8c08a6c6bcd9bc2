/**
 * The vault service: the only process that touches vault storage. It holds no content key: what it stores is sealed by the
 * writers. It trusts nothing but the server's signature on a capability token, and enforces append-only by itself.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { bucketShape, openVaultToken, rawPublicKey, type VaultToken, vaultPolicyShape } from '@diskfleet/protocol';
import { VaultError } from '@diskfleet/vault';
import type { Logger } from 'pino';
import * as z from 'zod';
import { ServiceError } from './errors.ts';
import { roomOf, testFolder } from './folderTest.ts';
import { type Keeper, openKeeper } from './keeper.ts';
import { type Listings, openListings } from './listings.ts';
import { askForObjects, handleObject, listObjects } from './objects.ts';
import { isAdmin, isObjectName } from './permissions.ts';
import { locationOf, openPlace, type Place } from './places.ts';
import { readJson } from './readJson.ts';
import { openRegistry, type Registry } from './registry.ts';
import { sendJson } from './respond.ts';

const PURGE_EVERY_MS = 3_600_000;

export interface ServiceOptions {
  readonly dataFolder: string;
  /** Raw Ed25519 public key of the server, base64. */
  readonly serverPublicKey: string;
  readonly log: Logger;
  readonly now: () => Date;
  /** Buckets may be at an address of this machine itself; off unless somebody runs the storage beside the service. */
  readonly allowLoopback?: boolean;
}

interface OpenVault {
  readonly keeper: Keeper;
  readonly listings: Listings;
}

interface Ctx extends ServiceOptions {
  readonly allowLoopback: boolean;
  readonly registry: Registry;
  readonly open: Map<string, Promise<OpenVault>>;
}

/** Makes the HTTP server; the caller listens and closes. */
export async function createVaultService(options: ServiceOptions): Promise<Server> {
  const { allowLoopback = false, dataFolder } = options;
  const registry = await openRegistry(dataFolder, { allowLoopback });
  const ctx: Ctx = { ...options, allowLoopback, registry, open: new Map() };
  const server = createServer((request, response) => {
    route(ctx, request, response).catch((error: unknown) => fail(ctx, request, response, error));
  });
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 80_000;
  server.requestTimeout = 300_000;
  const timer = setInterval(() => void purgeAll(ctx), PURGE_EVERY_MS);
  timer.unref();
  server.on('close', () => {
    clearInterval(timer);
    for (const opening of ctx.open.values()) opening.then(({ keeper }) => keeper.close()).catch(() => {});
  });
  return server;
}

/** What was removed goes when its time is over, whether or not anybody asks. */
async function purgeAll(ctx: Ctx): Promise<void> {
  for (const vaultId of ctx.registry.ids()) {
    try {
      const { keeper } = await vaultOf(ctx, vaultId);
      const purged = await keeper.purge();
      if (purged.gone > 0 || purged.locked > 0) ctx.log.info({ vaultId, ...purged }, 'removed objects are gone');
    } catch (error) {
      ctx.log.error({ vaultId, err: error }, 'removed objects could not be destroyed');
    }
  }
}

async function route(ctx: Ctx, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://service.invalid');
  if (url.pathname === '/healthz') return sendJson(response, 200, { ok: true });
  const token = authenticate(ctx, request);
  if (request.method === 'POST' && url.pathname === '/v1/vaults') return registerVault(ctx, token, request, response);
  if (request.method === 'POST' && url.pathname === '/v1/test-folder') return tryFolder(token, request, response);
  const parts = /^\/v1\/vaults\/([A-Za-z0-9-]{1,64})\/(.*)$/.exec(url.pathname);
  if (!parts?.[1] || parts[2] === undefined) throw new ServiceError(404, 'NOT_FOUND', 'no such address');
  const [vaultId, rest] = [parts[1], decoded(parts[2])];
  if (token.vaultId !== vaultId) throw new ServiceError(403, 'VAULT_REFUSED', 'the token is for another vault');
  const { keeper, listings } = await vaultOf(ctx, vaultId);
  const context = { token, keeper, request, response };
  if (rest.startsWith('objects/')) return handleObject(context, rest.slice('objects/'.length));
  switch (`${request.method} ${rest}`) {
    case 'GET list':
      return listObjects(context, listings, url.searchParams);
    case 'POST has':
      return askForObjects(context);
    default:
      return manage(ctx, {
        ...context,
        vaultId,
        verb: `${request.method} ${rest}`,
        prefix: url.searchParams.get('prefix') ?? '',
      });
  }
}

/** A bad escape is the caller's mistake, not ours. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new ServiceError(400, 'INVALID_INPUT', 'the address is not well formed');
  }
}

interface Managing {
  readonly verb: string;
  /** Of names that are asked about. */
  readonly prefix: string;
  readonly vaultId: string;
  readonly token: VaultToken;
  readonly keeper: Keeper;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const nameShape = z.object({ name: z.string().refine(isObjectName) });

/** What readers may see of a vault's keeping, and what an admin may do about it. */
async function manage(ctx: Ctx, { verb, prefix, vaultId, token, keeper, request, response }: Managing): Promise<void> {
  const mayRead = isAdmin(token) || token.verbs.includes('read');
  const only = (allowed: boolean) => {
    if (!allowed) throw new ServiceError(403, 'VAULT_REFUSED', 'the token does not allow this');
  };
  switch (verb) {
    case 'GET usage':
      only(mayRead);
      return sendJson(response, 200, { ...(await keeper.usage()), ...(await roomAt(ctx.registry.placeOf(vaultId))) });
    case 'GET policy':
      only(mayRead);
      return sendJson(response, 200, policyAnswer(ctx, vaultId, keeper));
    case 'PUT policy': {
      only(isAdmin(token));
      await ctx.registry.setPolicy(vaultId, await readJson(request, vaultPolicyShape), ctx.now());
      return sendJson(response, 200, policyAnswer(ctx, vaultId, keeper));
    }
    case 'GET removed':
      only(mayRead);
      return sendJson(response, 200, { objects: newest(keeper.removed(prefix)) });
    case 'POST undelete': {
      only(isAdmin(token));
      await keeper.undelete((await readJson(request, nameShape)).name);
      return sendJson(response, 200, {});
    }
    case 'POST purge':
      only(isAdmin(token));
      return sendJson(response, 200, await keeper.purge());
    default:
      throw new ServiceError(404, 'NOT_FOUND', 'no such address');
  }
}

/** The last thousand that were removed. */
function newest<T>(removed: Iterable<T>): T[] {
  return [...removed].slice(-1000).reverse();
}

function policyAnswer(ctx: Ctx, vaultId: string, keeper: Keeper) {
  const { deletionDelayMs, minRetentionMs, quotaBytes, machineBytesPerDay } =
    ctx.registry.policySteps(vaultId).at(-1) ?? keeper.policy();
  return { wanted: { deletionDelayMs, minRetentionMs, quotaBytes, machineBytesPerDay }, inForce: keeper.policy() };
}

async function roomAt(place: Place | null): Promise<{ freeBytes: number | null; totalBytes: number | null }> {
  return place && 'folder' in place ? roomOf(place.folder) : { freeBytes: null, totalBytes: null };
}

function authenticate(ctx: Ctx, request: IncomingMessage): VaultToken {
  const text = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (!text) throw new ServiceError(401, 'VAULT_REFUSED', 'a capability token is needed');
  const token = openVaultToken(rawPublicKey(ctx.serverPublicKey), text, ctx.now());
  if (typeof token === 'string') throw new ServiceError(401, 'VAULT_REFUSED', `the capability token is ${token}`);
  return token;
}

async function vaultOf(ctx: Ctx, vaultId: string): Promise<OpenVault> {
  const place = ctx.registry.placeOf(vaultId);
  if (!place) throw new ServiceError(404, 'VAULT_NOT_FOUND', 'this service has no such vault');
  const known = ctx.open.get(vaultId);
  if (known) return known;
  const opening = openVault(ctx, vaultId, place);
  ctx.open.set(vaultId, opening);
  opening.catch(() => ctx.open.delete(vaultId));
  return opening;
}

async function openVault(ctx: Ctx, vaultId: string, place: Place): Promise<OpenVault> {
  const keeper = await openKeeper({
    store: await openPlace(place, ctx),
    removalsPath: join(ctx.dataFolder, 'removed', `${vaultId}.log`),
    policySteps: () => ctx.registry.policySteps(vaultId),
    now: ctx.now,
  });
  return { keeper, listings: openListings(keeper) };
}

const registerShape = z.intersection(
  z.object({ vaultId: z.string().regex(/^[A-Za-z0-9-]{1,64}$/) }),
  z.union([z.object({ folder: z.string().min(1).max(4096) }), z.object({ bucket: bucketShape })]),
);

async function registerVault(ctx: Ctx, token: VaultToken, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const input = await readJson(request, registerShape);
  if (!isAdmin(token) || token.vaultId !== input.vaultId)
    throw new ServiceError(403, 'VAULT_REFUSED', 'only the server registers vaults');
  const wanted = 'folder' in input ? { folder: input.folder } : { bucket: input.bucket };
  sendJson(response, 201, { folder: locationOf(await ctx.registry.register(input.vaultId, wanted, ctx.now())) });
}

async function tryFolder(token: VaultToken, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!isAdmin(token)) throw new ServiceError(403, 'VAULT_REFUSED', 'only the server tests folders');
  const { folder } = await readJson(request, z.object({ folder: z.string().min(1).max(4096) }));
  sendJson(response, 200, await testFolder(folder));
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
