/** One file out of a restore point, streamed in constant memory. Every read is audited before the first byte leaves. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { ExploreFile } from '@diskfleet/engine';
import { failureText, type UserView } from '@diskfleet/protocol';
import * as z from 'zod';
import { audit } from '../audit/append.ts';
import { authenticate } from '../auth/bridge.ts';
import { mayRole } from '../auth/permissions.ts';
import type { Ctx } from '../context.ts';
import { describeError, ServerError } from '../errors.ts';
import { sendJson } from '../http/sendJson.ts';
import { findPoint, pointName } from '../points/points.ts';
import { withExplorer } from '../vaults/openVaults.ts';
import { parseRange } from './range.ts';

const query = z.object({
  point: z.string().min(1).max(64),
  disk: z.coerce.number().int().min(0).max(255),
  path: z.string().min(1).max(4096).regex(/^\//),
});

const statuses: Record<string, number> = {
  INVALID_INPUT: 400,
  NOT_ALLOWED: 403,
  INTERNAL: 500,
  VAULT_UNREACHABLE: 502,
  CHUNK_DAMAGED: 502,
  CHUNK_MISSING: 502,
  FS_NOT_A_FILE: 400,
  FS_ENCRYPTED_FILE: 409,
};

/** GET and HEAD /download/file?point=&disk=&path= */
export async function downloadFile(ctx: Ctx, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { session } = await authenticate(ctx, request);
    if (!session || !mayRole(session.user.role, 'files:read')) throw new ServerError('NOT_ALLOWED');
    const url = new URL(request.url ?? '/', 'http://server.invalid');
    const parsed = query.safeParse(Object.fromEntries(url.searchParams));
    if (!parsed.success) throw new ServerError('INVALID_INPUT', z.prettifyError(parsed.error));
    await send(ctx, { user: session.user, ask: parsed.data, request, response });
  } catch (error) {
    if (response.headersSent) return void response.destroy();
    const { code, detail } = describeError(error);
    if (code === 'INTERNAL') ctx.log.error({ err: error }, 'download failed');
    const failure = { code, ...failureText(code), detail };
    sendJson(response, statuses[code] ?? 404, { failure });
  }
}

interface Sending {
  readonly user: UserView;
  readonly ask: z.infer<typeof query>;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function send(ctx: Ctx, { user, ask, request, response }: Sending): Promise<void> {
  const point = await findPoint(ctx, ask.point);
  const ref = { vaultId: point.point.vaultId, pointId: ask.point, diskIndex: ask.disk };
  await withExplorer(ctx, ref, async (explorer) => {
    const file = await explorer.open(ask.path);
    const range = parseRange(request.headers.range, file.entry.sizeBytes);
    if (!range) {
      response.writeHead(416, { 'content-range': `bytes */${file.entry.sizeBytes}` }).end();
      return;
    }
    const subject = pointName(point);
    await audit(ctx.db, { at: ctx.now(), actor: user.email, action: 'explorer.download', subject, detail: ask.path });
    response.writeHead(range.part ? 206 : 200, headers(file, range));
    if (request.method === 'HEAD') return void response.end();
    await pipeline(file.stream({ fromByte: range.fromByte, toByte: range.toByte }), response);
  });
}

function headers(file: ExploreFile, { fromByte, toByte, part }: { fromByte: number; toByte: number; part: boolean }) {
  const { name, sizeBytes } = file.entry;
  const plain = name.replace(/[^\x20-\x7e]|["\\%;]/g, '_');
  const exact = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${plain}"; filename*=UTF-8''${exact}`,
    'content-length': toByte - fromByte,
    'accept-ranges': 'bytes',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(part ? { 'content-range': `bytes ${fromByte}-${toByte - 1}/${sizeBytes}` } : {}),
  };
}
