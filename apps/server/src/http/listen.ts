/** The server's one port: health, the console's procedures, downloads, enrolment, and the agents' socket. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { enrolRequestShape, failureText, MAX_MESSAGE_BYTES, PRODUCT_VERSION } from '@diskfleet/protocol';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { WebSocketServer } from 'ws';
import { authenticate } from '../auth/bridge.ts';
import type { Ctx } from '../context.ts';
import { describeError, ServerError } from '../errors.ts';
import { downloadFile } from '../explorer/download.ts';
import { acceptSocket } from '../hub/connection.ts';
import { enrol } from '../machines/enrol.ts';
import { appRouter } from '../router.ts';
import { needsOwner } from '../setup/owner.ts';
import { readJson, sendJson } from './sendJson.ts';

const BACKLOG = 4096;

export interface Listening {
  readonly port: number;
  /** Stops taking calls and cuts all sockets. */
  close(): Promise<void>;
}

export async function listen(ctx: Ctx): Promise<Listening> {
  const trpc = createHTTPHandler({
    router: appRouter,
    basePath: '/trpc/',
    maxBodySize: MAX_MESSAGE_BYTES,
    createContext: ({ req }) => authenticate(ctx, req),
    onError: ({ error, path }) => {
      if (error.code === 'INTERNAL_SERVER_ERROR') ctx.log.error({ err: error.cause ?? error, path }, 'procedure failed');
    },
  });
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (path.startsWith('/trpc/')) return void trpc(request, response);
    route(ctx, path, { request, response }).catch((error: unknown) => {
      ctx.log.error({ err: error, path }, 'request failed');
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: { code: 'INTERNAL', message: failureText('INTERNAL').what } });
    });
  });
  server.keepAliveTimeout = 75_000;
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES });
  server.on('upgrade', (request, socket, head) => upgrade(ctx, sockets, { request, socket, head }));
  const { host, port } = ctx.settings;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: () => closeAll(server, sockets),
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function route(ctx: Ctx, path: string, { request, response }: Exchange): Promise<void> {
  const call = `${request.method} ${path}`;
  if (call === 'GET /healthz') {
    return sendJson(response, 200, { ok: true, needsOwner: await needsOwner(ctx), version: PRODUCT_VERSION });
  }
  if (call === 'GET /download/file' || call === 'HEAD /download/file') return downloadFile(ctx, request, response);
  if (call === 'POST /agents/enrol') return enrolOverHttp(ctx, request, response);
  sendJson(response, 404, { error: { code: 'NOT_FOUND', message: 'no such address' } });
}

async function enrolOverHttp(ctx: Ctx, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (request.headers.origin !== undefined) throw new ServerError('NOT_ALLOWED');
    if (!ctx.limits.enrol.take('')) throw new ServerError('SERVER_BUSY', '', { retry: 'later' });
    const parsed = enrolRequestShape.safeParse(await readJson(request, MAX_MESSAGE_BYTES));
    if (!parsed.success) throw new ServerError('INVALID_INPUT', 'the request is not an enrolment');
    sendJson(response, 200, await enrol(ctx, parsed.data));
  } catch (error) {
    const { code, detail } = describeError(error);
    const known = error instanceof ServerError;
    if (!known) ctx.log.error({ err: error }, 'enrolment failed');
    const status = code === 'SERVER_BUSY' ? 429 : known ? 403 : 500;
    sendJson(response, status, { error: { code: known ? code : 'INTERNAL', message: detail || failureText(code).what } });
  }
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Agents send no Origin; a browser always does, so no page can open this socket whatever it is tricked into. */
function upgrade(ctx: Ctx, sockets: WebSocketServer, { request, socket, head }: Upgrade): void {
  socket.on('error', () => socket.destroy());
  const path = (request.url ?? '/').split('?')[0];
  const status = path !== '/agents/socket' ? '404 Not Found' : request.headers.origin !== undefined ? '403 Forbidden' : null;
  if (status) return void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  sockets.handleUpgrade(request, socket, head, (webSocket) => acceptSocket(ctx, webSocket));
}

async function closeAll(server: Server, sockets: WebSocketServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets.clients) socket.close(1001, 'server stops');
  sockets.close();
  server.closeIdleConnections();
  const cut = setTimeout(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
  }, 1_000);
  await closed;
  clearTimeout(cut);
}
