/** A fake of an S3 storage for what a real one cannot be asked to do on command: ignore conditions, fail, lose answers. No product, no proof of S3. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface FakeS3 {
  readonly endpoint: string;
  readonly objects: Map<string, Buffer>;
  close(): Promise<void>;
}

export interface Asked {
  readonly method: string;
  /** Below the bucket. */
  readonly key: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Carries the request out without answering. */
  store(): void;
}

export function refuse(response: ServerResponse, status: number, error: { code: string; message?: string; more?: string }): true {
  const { code, message = 'no', more = '' } = error;
  response.writeHead(status).end(`<Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`);
  return true;
}

/** It ignores `If-None-Match`. `onRequest` may answer itself: true. */
export async function startFakeS3(onRequest: (asked: Asked) => boolean = () => false): Promise<FakeS3> {
  const objects = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://fake');
      const key = decodeURIComponent(url.pathname).replace(/^\/[^/]*\/?/, '');
      const store = () => objects.set(key, Buffer.concat(pieces));
      const method = request.method ?? '';
      if (onRequest({ method, key, request, response, store })) return;
      if (url.searchParams.has('list-type')) listing(objects, url.searchParams, response);
      else if (method === 'PUT') {
        store();
        response.end();
      } else if (method === 'DELETE') {
        objects.delete(key);
        response.writeHead(204).end();
      } else send(objects.get(key), request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    objects,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(bytes: Buffer | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (bytes === undefined) {
    refuse(response, 404, { code: 'NoSuchKey' });
    return;
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const body = range === null ? bytes : bytes.subarray(Number(range[1]), Number(range[2]) + 1);
  response
    .writeHead(range === null ? 200 : 206, { 'content-length': body.length })
    .end(request.method === 'HEAD' ? undefined : body);
}

function listing(objects: Map<string, Buffer>, query: URLSearchParams, response: ServerResponse): void {
  const after = query.get('continuation-token') ?? '';
  const keys = [...objects.keys()].sort().filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after);
  const page = keys.slice(0, 3);
  const entries = page.map(
    (key) => `<Contents><Key>${encodeURIComponent(key)}</Key><Size>${objects.get(key)?.length}</Size></Contents>`,
  );
  const more =
    keys.length > 3 ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
  response.end(
    `<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType>${entries.join('')}${more}</ListBucketResult>`,
  );
}
