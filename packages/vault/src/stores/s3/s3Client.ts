/**
 * Signed requests to one bucket, repeated while a failure may pass by itself, and what each refusal means for a person.
 * Signed by hand rather than by a vendor's library: seven kinds of request do not weigh 1.4 MB in each of the agent's bundles.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { VaultError } from '../../errors.ts';
import type { StoreConfig } from '../../types.ts';
import { exchange, PassingFailure, type Reply, withPatience } from '../httpExchange.ts';
import { encodePart, encodeQuery, signed } from './sign.ts';
import { textIn } from './xml.ts';

export type S3Config = Extract<StoreConfig, { kind: 's3' }>;

const defaultPatienceMs = 120_000;
const sha256OfNothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

interface S3Ask {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Below the prefix; absent: the bucket itself. */
  readonly name?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly bytes: Uint8Array; readonly sha256: string };
  readonly into?: Uint8Array | undefined;
  /** Refusals that are an answer to this question. */
  readonly answers?: readonly number[];
}

interface S3Reply extends Reply {
  /** How often it was asked: more than once, and an earlier one may have been carried out unheard. */
  readonly tries: number;
}

export interface S3Client {
  readonly location: string;
  /** @throws VaultError */
  ask(wanted: S3Ask): Promise<S3Reply>;
  close(): void;
}

export function s3Client(config: S3Config): S3Client {
  const { base, bucketPath } = addressOf(config);
  const agent = base.protocol === 'https:' ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const closing = new AbortController();
  const limits = {
    patienceMs: config.patienceMs ?? defaultPatienceMs,
    signal: closing.signal,
    who: `the storage at ${base.host}`,
  };
  const by = { credentials: config.credentials, region: config.region };

  const once = async (wanted: S3Ask): Promise<Reply> => {
    const key = wanted.name === undefined ? '' : `/${keyOf(config, wanted.name).split('/').map(encodePart).join('/')}`;
    const path = `${bucketPath}${key}` || '/';
    const query = wanted.query ?? {};
    const bodySha256 = wanted.body?.sha256 ?? sha256OfNothing;
    // Signed anew each time: a signature is good for minutes, patience may outlast it.
    const headers = signed(
      { method: wanted.method, host: base.host, path, query, headers: wanted.headers ?? {}, bodySha256 },
      { ...by, at: new Date() },
    );
    const search = encodeQuery(query);
    const body = wanted.body?.bytes;
    if (body !== undefined || wanted.method === 'POST') headers['content-length'] = String(body?.length ?? 0);
    const url = `${base.protocol}//${base.host}${path}${search === '' ? '' : `?${search}`}`;
    const reply = await exchange({ method: wanted.method, url, headers, body, agent, into: wanted.into });
    if (wanted.answers?.includes(reply.status) !== true) judge(reply, { wanted, config });
    return reply;
  };

  return {
    location: locationOf(config),
    async ask(wanted) {
      let tries = 0;
      const reply = await withPatience(limits, () => {
        tries += 1;
        return once(wanted);
      });
      return { ...reply, tries };
    },
    close() {
      closing.abort();
      agent.destroy();
    },
  };
}

export function keyOf(config: S3Config, name: string): string {
  return config.prefix === '' ? name : `${config.prefix}/${name}`;
}

function locationOf({ bucket, prefix }: S3Config): string {
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
}

/** AWS wants the bucket in the host's name; other servers, and names TLS cannot match, want it in the path. */
function addressOf(config: S3Config): { base: URL; bucketPath: string } {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}$/.test(config.bucket)) {
    throw new VaultError('VAULT_NOT_FOUND', `"${config.bucket}" is not the name of a bucket`);
  }
  if (config.prefix.split('/').some((part) => part === '.' || part === '..')) {
    throw new VaultError('VAULT_NOT_FOUND', `"${config.prefix}" is no place in a bucket: it has "." or ".." in it`);
  }
  const text = config.endpoint ?? `https://s3.${config.region}.amazonaws.com`;
  const base = URL.canParse(text) ? new URL(text) : null;
  if (base === null || (base.protocol !== 'http:' && base.protocol !== 'https:')) {
    throw new VaultError('VAULT_NOT_FOUND', `"${text}" is not the address of an S3 storage`);
  }
  const inHost = config.endpoint === undefined && /^[a-z0-9-]+$/.test(config.bucket);
  if (!inHost) return { base, bucketPath: `${base.pathname.replace(/\/+$/, '')}/${config.bucket}` };
  base.host = `${config.bucket}.${base.host}`;
  return { base, bucketPath: '' };
}

/** @throws PassingFailure, VaultError for every status that is not an answer. */
function judge(reply: Reply, asked: { wanted: S3Ask; config: S3Config }): void {
  const { status } = reply;
  if (status >= 200 && status < 300) return;
  const xml = reply.body.toString('utf8');
  const code = textIn(xml, 'Code') ?? '';
  const told = [code, textIn(xml, 'Message')?.slice(0, 300)].filter(Boolean).join(': ') || `status ${status}`;
  if (/Quota|StorageFull|InsufficientCapacity/i.test(code) || status === 507) {
    throw new VaultError('VAULT_FULL', `the storage has no room: ${told}`, { retry: 'later' });
  }
  const passes =
    (status >= 500 && status !== 501) ||
    [307, 408, 429].includes(status) ||
    ['RequestTimeout', 'SlowDown', 'ConditionalRequestConflict', 'OperationAborted'].includes(code);
  if (passes) throw new PassingFailure(`it answered ${told}`, { onReusedSocket: false });
  if (asked.wanted.method === 'DELETE' && /object.?lock|worm|retention|legal hold/i.test(told)) {
    throw new VaultError('VAULT_OBJECT_LOCKED', `${asked.wanted.name} is locked against deletion by the bucket: ${told}`, {
      retry: 'later',
    });
  }
  refuseRegion(reply, { code, xml, config: asked.config });
  if (status === 404 || status === 416) throw missing(code, asked);
  if (status === 401 || status === 403 || ['ExpiredToken', 'InvalidToken'].includes(code)) {
    throw new VaultError('VAULT_REFUSED', refusal(code, told, reply));
  }
  const changed = /BadDigest|SHA256Mismatch|ChecksumMismatch/.test(code) ? 'the bytes arrived changed: ' : '';
  throw new VaultError('VAULT_STORE_FAILED', `the storage refused ${asked.wanted.method}: ${changed}${told}`, {
    retry: changed === '' ? 'never' : 'later',
  });
}

function missing(code: string, { wanted, config }: { wanted: S3Ask; config: S3Config }): VaultError {
  if (code === 'NoSuchBucket' || wanted.name === undefined) {
    return new VaultError(
      'VAULT_NOT_FOUND',
      `there is no bucket "${config.bucket}" at this storage: make it first, or check the name`,
    );
  }
  return new VaultError('VAULT_OBJECT_MISSING', `${locationOf(config)} has no object ${wanted.name}, or not so much of it`);
}

/** @throws VaultError when the bucket lives elsewhere. */
function refuseRegion(reply: Reply, told: { code: string; xml: string; config: S3Config }): void {
  const region = reply.headers['x-amz-bucket-region'] ?? textIn(told.xml, 'Region');
  const elsewhere =
    reply.status === 301 ||
    ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'].includes(told.code);
  if (!elsewhere) return;
  const where =
    typeof region === 'string' && region !== '' ? `region ${region}: set AWS_REGION=${region}` : 'another region: set AWS_REGION';
  throw new VaultError('VAULT_REFUSED', `bucket "${told.config.bucket}" is not in region ${told.config.region} but in ${where}`);
}

function refusal(code: string, told: string, reply: Reply): string {
  if (code === 'RequestTimeTooSkewed') {
    const theirs = Date.parse(reply.headers.date ?? '');
    const minutes = Math.round((Date.now() - theirs) / 60_000);
    const off = Number.isNaN(minutes) ? '' : ` by ${Math.abs(minutes)} minutes (it is ${minutes < 0 ? 'slow' : 'fast'})`;
    return `the clock of this PC differs from the storage's${off}: set it right`;
  }
  if (code === 'InvalidAccessKeyId') return `the storage does not know the access key: check AWS_ACCESS_KEY_ID (${told})`;
  if (code === 'SignatureDoesNotMatch') {
    return `the secret key does not fit the access key: check AWS_SECRET_ACCESS_KEY (${code})`;
  }
  if (code === 'ExpiredToken' || code === 'InvalidToken') {
    return `the session token is not valid any more: get new credentials (${told})`;
  }
  return `the storage refused this key: it needs the rights to list the bucket and to get and put objects, and to delete them for clean-up (${told})`;
}
