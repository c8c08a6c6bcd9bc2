/** The HTTP surface of a vault service over any store, in this process; enough to run the client against, not a product. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { VaultError } from '../errors.ts';
import { sha256 } from '../keys/derive.ts';
import type { Store } from '../types.ts';

const pageLength = 3;

export interface StoreServer {
  readonly baseUrl: string;
  readonly port: number;
  close(): Promise<void>;
}

/** `onRequest` may answer itself (return true), e.g. to fail. */
export async function serveStore(
  store: Store,
  options: { token: string; port?: number; onRequest?: (request: IncomingMessage, response: ServerResponse) => boolean },
): Promise<StoreServer> {
  const server = createServer((request, response) => {
    if (options.onRequest?.(request, response)) return;
    answer(store, options.token, { request, response }).catch((cause: unknown) => {
      const code = cause instanceof VaultError ? cause.code : 'VAULT_STORE_FAILED';
      const statuses: Record<string, number> = { VAULT_OBJECT_MISSING: 404, VAULT_FULL: 507, VAULT_REFUSED: 403 };
      response.writeHead(statuses[code] ?? 500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code, message: cause instanceof Error ? cause.message : 'failed' } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1/vaults/test`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(store: Store, token: string, http: { request: IncomingMessage; response: ServerResponse }): Promise<void> {
  const { request, response } = http;
  const url = new URL(request.url ?? '/', 'http://x');
  const path = url.pathname.replace('/v1/vaults/test/', '');
  if (request.headers.authorization !== `Bearer ${token}`) throw new VaultError('VAULT_REFUSED', 'the token is not valid');
  if (path === 'list') return list(store, url.searchParams, response);
  const name = decodeURIComponent(path.replace(/^objects\//, ''));
  if (request.method === 'PUT') {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    if (sha256(bytes).toString('hex') !== request.headers['x-content-sha256'])
      throw new VaultError('VAULT_REFUSED', 'the hash is wrong');
    const result = await store.put(name, bytes);
    response.writeHead(result === 'stored' ? 201 : 200).end();
    return;
  }
  const found = await store.head(name);
  if (found === null) throw new VaultError('VAULT_OBJECT_MISSING', `the vault has no object ${name}`);
  if (request.method === 'HEAD') {
    response.writeHead(200, { 'content-length': found.sizeBytes }).end();
    return;
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const offsetBytes = Number(range?.[1] ?? 0);
  const lengthBytes = range === null ? found.sizeBytes : Number(range[2]) - offsetBytes + 1;
  const bytes = await store.get(name, { offsetBytes, lengthBytes });
  response.writeHead(range === null ? 200 : 206, { 'content-length': bytes.length }).end(bytes);
}

async function list(store: Store, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const after = query.get('after') ?? '';
  const objects = [];
  let next: string | null = null;
  for await (const one of store.list(query.get('prefix') ?? '')) {
    if (one.name <= after) continue;
    if (objects.length === pageLength) {
      next = objects.at(-1)?.name ?? null;
      break;
    }
    objects.push(one);
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ objects, next }));
}
