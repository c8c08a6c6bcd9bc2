import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { ServiceError } from './errors.ts';

const MAX_BYTES = 1 << 20;

/** @throws ServiceError 400, 413. */
export async function readJson<T>(request: IncomingMessage, shape: z.ZodType<T>): Promise<T> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request) {
    if (!(piece instanceof Uint8Array)) continue;
    length += piece.length;
    if (length > MAX_BYTES) throw new ServiceError(413, 'INVALID_INPUT', 'the request is too long');
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
