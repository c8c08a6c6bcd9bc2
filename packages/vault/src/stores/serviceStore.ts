/**
 * A vault behind the vault service, over HTTP: `PUT|GET|HEAD {baseUrl}/objects/<name>` and `GET {baseUrl}/list`.
 * Objects are named by their content and never change, so every request can be repeated safely: a service that restarts in the
 * middle of a backup costs a pause, not the backup. `remove` is for tokens of an admin; those of agents never carry that verb.
 */
import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import * as z from 'zod';
import { VaultError } from '../errors.ts';
import type { Store, StoreConfig, StoredObject } from '../types.ts';
import { contentHash } from './contentHash.ts';
import { type Reply, withPatience } from './httpExchange.ts';
import { checkName } from './names.ts';
import { type ServiceRequest, sendOnce } from './serviceRequest.ts';
import { currentToken } from './tokenCell.ts';

const defaultPatienceMs = 120_000;
const listShape = z.object({
  objects: z.array(
    z.object({ name: z.string(), sizeBytes: z.int().min(0), storedAtMs: z.number().optional(), goesAtMs: z.number().optional() }),
  ),
  next: z.string().nullable(),
});

function tokenOf({ token, tokenCell }: Extract<StoreConfig, { kind: 'service' }>): string {
  return (tokenCell === undefined ? null : currentToken(tokenCell)) ?? token;
}

/** Makes the client; the first request connects. */
export async function serviceStore(config: Extract<StoreConfig, { kind: 'service' }>): Promise<Store> {
  const base = parseBase(config.baseUrl);
  const agent = base.protocol === 'https:' ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const closing = new AbortController();
  const patienceMs = config.patienceMs ?? defaultPatienceMs;
  const url = (path: string) => `${base.href}/${path}`;
  const request = (wanted: Omit<ServiceRequest, 'agent' | 'token'>): Promise<Reply> =>
    withPatience({ patienceMs, signal: closing.signal, who: 'the vault service' }, () =>
      sendOnce({ ...wanted, agent, token: tokenOf(config) }),
    );
  const objectUrl = (name: string) => {
    checkName(name);
    return url(`objects/${name}`);
  };
  const read = async (name: string, range: { offsetBytes: number; lengthBytes: number } | undefined, into?: Uint8Array) => {
    if (range !== undefined && range.lengthBytes === 0) return Buffer.alloc(0);
    const last = range === undefined ? 0 : range.offsetBytes + range.lengthBytes - 1;
    const headers: Record<string, string> = range === undefined ? {} : { range: `bytes=${range.offsetBytes}-${last}` };
    const reply = await request({ method: 'GET', url: objectUrl(name), headers, into, bodyBytes: range?.lengthBytes });
    return reply.body;
  };
  return {
    location: base.href,
    async put(name, bytes) {
      const headers = { 'x-content-sha256': contentHash(name, bytes), 'content-length': String(bytes.length) };
      const reply = await request({ method: 'PUT', url: objectUrl(name), headers, body: bytes });
      return reply.status === 201 ? 'stored' : 'exists';
    },
    get: (name, range) => read(name, range),
    async readInto(name, offsetBytes, target) {
      await read(name, { offsetBytes, lengthBytes: target.length }, target);
    },
    async head(name) {
      const reply = await request({ method: 'HEAD', url: objectUrl(name), headers: {}, absentIsFine: true });
      return reply.status === 404 ? null : { name, sizeBytes: lengthOf(reply.headers) };
    },
    list: (prefix) => listPages(prefix, (query) => request({ method: 'GET', url: url(`list?${query}`), headers: {} })),
    async remove(name) {
      const target = objectUrl(name);
      // Asked for at the end of every run, which is an agent's: no need to be told no.
      if (!isAdmins(tokenOf(config)))
        throw new VaultError('VAULT_REFUSED', `objects of a vault service are removed by an admin alone (${name})`);
      await request({ method: 'DELETE', url: target, headers: {} });
    },
    async close() {
      closing.abort();
      agent.destroy();
    },
  };
}

const tokenShape = z.object({ verbs: z.array(z.string()) });

/** What a token says of itself; whether that is true is the service's to judge. */
function isAdmins(token: string): boolean {
  const said = tokenShape.safeParse(parseJson(Buffer.from(token.split('.')[0] ?? '', 'base64url')));
  return said.success && said.data.verbs.includes('admin');
}

function parseBase(baseUrl: string): { protocol: string; href: string } {
  const parsed = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw new VaultError('VAULT_NOT_FOUND', `"${baseUrl}" is not the address of a vault service`);
  }
  return { protocol: parsed.protocol, href: parsed.href.replace(/\/+$/, '') };
}

function lengthOf(headers: IncomingMessage['headers']): number {
  const value = Number(headers['content-length']);
  if (!Number.isSafeInteger(value)) throw new VaultError('VAULT_STORE_FAILED', 'the vault service answered without a length');
  return value;
}

async function* listPages(prefix: string, ask: (query: string) => Promise<Reply>): AsyncIterable<StoredObject> {
  for (let after: string | null = ''; after !== null; ) {
    const reply = await ask(new URLSearchParams({ prefix, after }).toString());
    const parsed = listShape.safeParse(parseJson(reply.body));
    if (!parsed.success)
      throw new VaultError('VAULT_STORE_FAILED', 'the vault service answered a listing this program cannot read');
    yield* parsed.data.objects;
    after = parsed.data.next;
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}
