/** The object verbs of one vault over HTTP. Authority is decided in permissions.ts; bytes go to the vault's keeper. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { VaultToken } from '@diskfleet/protocol';
import * as z from 'zod';
import { ServiceError } from './errors.ts';
import { inFlightLimit } from './inFlight.ts';
import type { Keeper } from './keeper.ts';
import type { Listings } from './listings.ts';
import { isAdmin, isObjectName, isPrefix, mayAccess, mayProbe } from './permissions.ts';
import { readJson } from './readJson.ts';
import { sendJson } from './respond.ts';
import { withUpload } from './uploads.ts';

const MAX_OBJECT_BYTES = 64 << 20;
const MOST_ASKED = 1000;
const withinMemory = inFlightLimit(128 << 20);

export interface ObjectRequest {
  readonly token: VaultToken;
  readonly keeper: Keeper;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export async function handleObject(context: ObjectRequest, name: string): Promise<void> {
  if (!isObjectName(name)) throw new ServiceError(400, 'INVALID_INPUT', 'not an object name');
  switch (context.request.method) {
    case 'PUT':
      return putObject(context, name);
    case 'GET':
      return getObject(context, name);
    case 'HEAD':
      return headObject(context, name);
    case 'DELETE':
      return removeObject(context, name);
    default:
      throw new ServiceError(405, 'INVALID_INPUT', 'no such verb');
  }
}

async function putObject({ token, keeper, request, response }: ObjectRequest, name: string): Promise<void> {
  allow(mayAccess(token, 'put', name));
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(length) || length < 0) throw new ServiceError(411, 'INVALID_INPUT', 'a content length is needed');
  if (length > MAX_OBJECT_BYTES) throw new ServiceError(413, 'INVALID_INPUT', 'an object has at most 64 MiB');
  const outcome = await withinMemory(length, () =>
    withUpload(request, length, ({ bytes, sha256 }) => {
      checkContent(name, sha256, request.headers['x-content-sha256']);
      return keeper.put(name, bytes, isAdmin(token) ? null : token.machineId);
    }),
  );
  sendJson(response, outcome === 'stored' ? 201 : 200, { outcome });
}

/** Packs and index segments are named by their content, so a corrupted or forged upload can never take their place. */
function checkContent(name: string, sha256: string, claimed: string | string[] | undefined): void {
  if (typeof claimed === 'string' && claimed !== sha256)
    throw new ServiceError(422, 'VAULT_REFUSED', 'the body does not match its hash');
  if (/^(packs|index)\//.test(name) && name.slice(name.lastIndexOf('/') + 1) !== sha256) {
    throw new ServiceError(422, 'VAULT_REFUSED', 'the name does not match the content');
  }
}

async function getObject({ token, keeper, request, response }: ObjectRequest, name: string): Promise<void> {
  allow(mayAccess(token, 'get', name));
  const found = await keeper.head(name);
  if (!found) throw new ServiceError(404, 'VAULT_OBJECT_MISSING', `${name} is not in the vault`);
  const range = parseRange(request.headers.range, found.sizeBytes);
  const lengthBytes = range ? range.lengthBytes : found.sizeBytes;
  await withinMemory(lengthBytes, async () => {
    const bytes = range ? await keeper.get(name, range) : await keeper.get(name);
    response.writeHead(range ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': bytes.length,
      ...(range
        ? { 'content-range': `bytes ${range.offsetBytes}-${range.offsetBytes + lengthBytes - 1}/${found.sizeBytes}` }
        : {}),
    });
    await new Promise<void>((done) => {
      response.once('close', done);
      response.end(bytes, done);
    });
  });
}

function parseRange(header: string | undefined, sizeBytes: number) {
  if (header === undefined) return null;
  const parts = /^bytes=(\d{1,16})-(\d{1,16})?$/.exec(header);
  const from = Number(parts?.[1] ?? Number.NaN);
  const to = parts?.[2] === undefined ? sizeBytes - 1 : Number(parts[2]);
  // Stricter than HTTP asks for: a reader that asks beyond the end holds a wrong index and must hear of it.
  if (!Number.isSafeInteger(from) || from > to || to >= sizeBytes)
    throw new ServiceError(416, 'INVALID_INPUT', 'the range lies outside the object');
  return { offsetBytes: from, lengthBytes: to - from + 1 };
}

async function headObject({ token, keeper, response }: ObjectRequest, name: string): Promise<void> {
  allow(mayProbe(token, name));
  const found = await keeper.head(name);
  response.writeHead(found ? 200 : 404, found ? { 'content-length': found.sizeBytes } : {});
  response.end();
}

async function removeObject({ token, keeper, response }: ObjectRequest, name: string): Promise<void> {
  allow(mayAccess(token, 'remove', name));
  await keeper.remove(name);
  response.writeHead(204);
  response.end();
}

/** One page of names below a prefix, in order, after `after`. */
export async function listObjects({ token, response }: ObjectRequest, listings: Listings, query: URLSearchParams): Promise<void> {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('after') ?? '';
  if (!isPrefix(prefix)) throw new ServiceError(400, 'INVALID_INPUT', 'not a prefix');
  allow(mayAccess(token, 'list', prefix));
  sendJson(response, 200, await listings.page(prefix, after));
}

const hasShape = z.object({ names: z.array(z.string()).max(MOST_ASKED) });

/** Sizes of many objects at once, null for what is not there. */
export async function askForObjects({ token, keeper, request, response }: ObjectRequest): Promise<void> {
  const { names } = await readJson(request, hasShape);
  for (const name of names) {
    if (!isObjectName(name)) throw new ServiceError(400, 'INVALID_INPUT', 'not an object name');
    allow(mayProbe(token, name));
  }
  const sizes: (number | null)[] = [];
  for (const name of names) sizes.push((await keeper.head(name))?.sizeBytes ?? null);
  sendJson(response, 200, { sizes });
}

function allow(allowed: boolean): void {
  if (!allowed) throw new ServiceError(403, 'VAULT_REFUSED', 'the token does not allow this');
}
