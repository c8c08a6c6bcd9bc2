/** AWS Signature Version 4, header form, for S3: one pure function, so that it can be held against the published examples. */
import { createHmac } from 'node:crypto';
import { sha256 } from '../../keys/derive.ts';

interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

interface Unsigned {
  readonly method: string;
  readonly host: string;
  /** Percent-encoded, with the leading `/`. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex: the server refuses a body that arrives changed. */
  readonly bodySha256: string;
}

/** Percent-encoding as the signature wants it: everything but letters, digits and `-._~`. */
export function encodePart(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The query as it is signed and sent: sorted by encoded name. */
export function encodeQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`)
    .sort()
    .join('&');
}

/** All headers to send, `authorization` among them. */
export function signed(
  request: Unsigned,
  by: { readonly credentials: S3Credentials; readonly region: string; readonly at: Date },
): Record<string, string> {
  const time = by.at.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${by.region}/s3/aws4_request`;
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    'x-amz-content-sha256': request.bodySha256,
    'x-amz-date': time,
  };
  if (by.credentials.sessionToken !== undefined) headers['x-amz-security-token'] = by.credentials.sessionToken;
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`).join('');
  const canonical = [request.method, request.path, encodeQuery(request.query), lines, names.join(';'), request.bodySha256].join(
    '\n',
  );
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(Buffer.from(canonical)).toString('hex')].join('\n');
  const key = scope
    .split('/')
    .reduce<Buffer>((secret, part) => hmac(secret, part), Buffer.from(`AWS4${by.credentials.secretAccessKey}`));
  const signature = hmac(key, toSign).toString('hex');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${by.credentials.accessKeyId}/${scope},SignedHeaders=${names.join(';')},Signature=${signature}`,
  };
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
