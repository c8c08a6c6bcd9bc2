/** Request bodies in memory: page-aligned when large, so that the folder's store writes them past the page cache, and used again. */
import type { IncomingMessage } from 'node:http';
import { hashAside } from '@diskfleet/vault';
import { ServiceError } from './errors.ts';

declare const WebAssembly: { Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } };

const PAGE_BYTES = 65_536;
/** Above this, aligned memory pays. */
const ALIGNED_FROM_BYTES = 1 << 20;
/** What writers' packs fit into. */
const USUAL_BYTES = 16 << 20;
const MOST_SPARE = 6;
const spare: Buffer[] = [];

export interface Upload {
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** Receives `length` bytes, hashes them beside the thread that receives for all, and lends them to `use`. @throws ServiceError 400 when there are more or fewer. */
export async function withUpload<T>(request: IncomingMessage, length: number, use: (upload: Upload) => Promise<T>): Promise<T> {
  const memory = borrow(length);
  try {
    const bytes = memory.subarray(0, length);
    await receive(request, bytes);
    return await use({ bytes, sha256: await hashAside(bytes) });
  } finally {
    if (memory.length === USUAL_BYTES && spare.length < MOST_SPARE) spare.push(memory);
  }
}

function borrow(length: number): Buffer {
  if (length < ALIGNED_FROM_BYTES) return Buffer.allocUnsafe(length);
  const room = Math.max(length, USUAL_BYTES);
  const known = room === USUAL_BYTES ? spare.pop() : undefined;
  return known ?? Buffer.from(new WebAssembly.Memory({ initial: Math.ceil(room / PAGE_BYTES) }).buffer);
}

/** By events: an iterator would cost a promise for each of the many small pieces. */
function receive(request: IncomingMessage, target: Buffer): Promise<void> {
  let done = 0;
  return new Promise((resolve, reject) => {
    const fail = (message: string) => {
      request.off('data', onData);
      reject(new ServiceError(400, 'INVALID_INPUT', message));
    };
    const onData = (piece: Buffer) => {
      if (done + piece.length > target.length) return fail('the body is longer than announced');
      target.set(piece, done);
      done += piece.length;
    };
    request.on('data', onData);
    request.once('end', () => (done === target.length ? resolve() : fail('the body ended early')));
    request.once('close', () => fail('the body ended early'));
    request.once('error', () => fail('the body ended early'));
  });
}
