/**
 * A vault in a bucket of an S3-compatible storage. [F1] Names are keys below the prefix; what else lies there is left alone.
 *
 * "Put if absent" is the storage's own: `If-None-Match: *`. Not every server honours it, and one that does not overwrites in silence,
 * so the first write of a run asks: it puts the probe object, whose name no vault object can have, until the server refuses it once.
 * Packs and index segments are named by their content, so writing one twice does no harm anywhere. See `unconditionalPut` for the rest.
 */
import { VaultError } from '../../errors.ts';
import type { Store, StoredObject } from '../../types.ts';
import { contentHash, hashInName } from '../contentHash.ts';
import { checkName, isName } from '../names.ts';
import { bucketFacts } from './bucketFacts.ts';
import { putInParts } from './putInParts.ts';
import { keyOf, type S3Client, type S3Config, s3Client } from './s3Client.ts';
import { elementsIn, textIn } from './xml.ts';

const multipartOverBytes = 64 << 20;
const partBytes = 16 << 20;
const probeName = 'PUT-PROBE';
const probe = Buffer.from('Diskfleet asks with this object whether the storage refuses to overwrite. It may be deleted.\n');
const sayOnce = new Set<string>();

/** Makes the client; the first request connects. */
export async function s3Store(config: S3Config): Promise<Store> {
  const client = s3Client(config);
  const sizes = {
    overBytes: config.multipartOverBytes ?? multipartOverBytes,
    partBytes: Math.min(partBytes, config.multipartOverBytes ?? partBytes),
  };
  const put = putIfAbsent(client, sizes);
  return {
    location: client.location,
    async put(name, bytes) {
      checkName(name);
      return put(name, bytes);
    },
    async get(name, range) {
      checkName(name);
      if (range === undefined) return (await client.ask({ method: 'GET', name })).body;
      return readRange(client, name, range.offsetBytes, Buffer.allocUnsafeSlow(range.lengthBytes));
    },
    async readInto(name, offsetBytes, target) {
      checkName(name);
      await readRange(client, name, offsetBytes, target);
    },
    async head(name) {
      checkName(name);
      return head(client, name);
    },
    list: (prefix) => list(client, config, prefix),
    async remove(name) {
      checkName(name);
      await client.ask({ method: 'DELETE', name, answers: [404] });
    },
    facts: () => bucketFacts(client),
    async close() {
      client.close();
    },
  };
}

async function readRange(client: S3Client, name: string, offsetBytes: number, target: Uint8Array): Promise<Buffer> {
  const whole = Buffer.from(target.buffer, target.byteOffset, target.length);
  if (target.length === 0) return whole;
  const range = `bytes=${offsetBytes}-${offsetBytes + target.length - 1}`;
  const { body } = await client.ask({ method: 'GET', name, headers: { range }, into: target });
  if (body.length !== target.length) {
    throw new VaultError('VAULT_OBJECT_MISSING', `${name} has ${body.length} of the ${target.length} bytes from ${offsetBytes}`);
  }
  if (body.buffer !== target.buffer) whole.set(body);
  return whole;
}

async function head(client: S3Client, name: string): Promise<StoredObject | null> {
  const { status, headers } = await client.ask({ method: 'HEAD', name, answers: [404] });
  if (status === 404) return null;
  const sizeBytes = Number(headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes)) throw new VaultError('VAULT_STORE_FAILED', 'the storage answered without a length');
  return stored(name, sizeBytes, headers['last-modified'] ?? '');
}

function stored(name: string, sizeBytes: number, time: string): StoredObject {
  const storedAtMs = Date.parse(time);
  return Number.isNaN(storedAtMs) ? { name, sizeBytes } : { name, sizeBytes, storedAtMs };
}

async function* list(client: S3Client, config: S3Config, prefix: string): AsyncIterable<StoredObject> {
  const root = keyOf(config, '');
  for (let next: string | null = ''; next !== null; ) {
    const query: Record<string, string> = { 'list-type': '2', 'encoding-type': 'url', prefix: `${root}${prefix}` };
    if (config.listPage !== undefined) query['max-keys'] = String(config.listPage);
    if (next !== '') query['continuation-token'] = next;
    const xml = (await client.ask({ method: 'GET', query })).body.toString('utf8');
    if (!xml.includes('<ListBucketResult')) {
      throw new VaultError('VAULT_STORE_FAILED', 'the storage answered a listing this program cannot read');
    }
    const encoded = textIn(xml, 'EncodingType') === 'url';
    for (const entry of elementsIn(xml, 'Contents')) {
      const key = textIn(entry, 'Key') ?? '';
      const name = nameOf(encoded ? decodedKey(key) : key, root);
      const sizeBytes = Number(textIn(entry, 'Size') ?? Number.NaN);
      if (name !== null && Number.isSafeInteger(sizeBytes)) yield stored(name, sizeBytes, textIn(entry, 'LastModified') ?? '');
    }
    next = textIn(xml, 'IsTruncated') === 'true' ? textIn(xml, 'NextContinuationToken') : null;
    if (next === null && textIn(xml, 'IsTruncated') === 'true') {
      throw new VaultError('VAULT_STORE_FAILED', 'the storage cut a listing short and gave no way to go on');
    }
  }
}

/** Null for what is no object of a vault: the probe, and what others put there. */
function nameOf(key: string, root: string): string | null {
  const name = key.slice(root.length);
  return key.startsWith(root) && isName(name) ? name : null;
}

/** '' for what is no text. */
function decodedKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return '';
  }
}

type Put = (name: string, bytes: Uint8Array) => Promise<'stored' | 'exists'>;

/** Asks once how the server takes conditions, then puts accordingly. */
function putIfAbsent(client: S3Client, sizes: { overBytes: number; partBytes: number }): Put {
  let way: Promise<Put> | null = null;
  const choose = async (): Promise<Put> => {
    if (await honoursConditions(client)) return conditionalPut(client, sizes);
    if (!sayOnce.has(client.location)) {
      sayOnce.add(client.location);
      process.emitWarning(
        `The storage of ${client.location} does not honour conditional puts (If-None-Match). Keep to one writer at a time there: two that write the same name at once may overwrite each other. Clean-up (gc) is refused.`,
        { code: 'DISKFLEET_S3_UNCONDITIONAL' },
      );
    }
    return unconditionalPut(client, sizes);
  };
  return async (name, bytes) => {
    way ??= choose().catch((cause: unknown) => {
      way = null;
      throw cause;
    });
    return (await way)(name, bytes);
  };
}

/** True once the server has refused to overwrite the probe. One request when an earlier run left it there, else two. */
async function honoursConditions(client: S3Client): Promise<boolean> {
  const body = { bytes: probe, sha256: contentHash(probeName, probe) };
  for (let time = 0; time < 2; time++) {
    try {
      const headers = { 'if-none-match': '*' };
      const { status } = await client.ask({ method: 'PUT', name: probeName, headers, body, answers: [412] });
      if (status === 412) return true;
    } catch (cause) {
      // A server that knows the header but not this use of it; if something else is wrong, the next put says so.
      if (cause instanceof VaultError && cause.code === 'VAULT_STORE_FAILED' && cause.retry === 'never') return false;
      throw cause;
    }
  }
  return false;
}

function conditionalPut(client: S3Client, sizes: { overBytes: number; partBytes: number }): Put {
  return async (name, bytes) => {
    if (bytes.length > sizes.overBytes) {
      if ((await head(client, name)) !== null) return 'exists';
      return putInParts(client, { name, bytes, partBytes: sizes.partBytes, conditional: true });
    }
    const { status, tries } = await putWhole(client, { name, bytes, conditional: true });
    if (status !== 412) return 'stored';
    // A repeated request may have met the object its own first try left, unheard.
    if (tries === 1 || hashInName(name) !== null) return 'exists';
    return (await client.ask({ method: 'GET', name })).body.equals(bytes) ? 'stored' : 'exists';
  };
}

/**
 * Looks, writes, and reads back. Writers of one process take turns; two processes can still both believe they were first, which hurts
 * only names that are not made of their content or of chance: `config` (made once) and the numbered steps of a sweeper. A sweep that
 * two run at once under one number could remove what the other keeps, so such a server gets none.
 */
function unconditionalPut(client: S3Client, sizes: { overBytes: number; partBytes: number }): Put {
  const turns = new Map<string, Promise<unknown>>();
  const putAlone: Put = async (name, bytes) => {
    if (/^gc\/\d/.test(name)) {
      throw new VaultError('VAULT_REFUSED', 'the storage does not honour conditional puts, so clean-up is not safe there');
    }
    if ((await head(client, name)) !== null) return 'exists';
    if (bytes.length > sizes.overBytes)
      return putInParts(client, { name, bytes, partBytes: sizes.partBytes, conditional: false });
    await putWhole(client, { name, bytes, conditional: false });
    if (hashInName(name) !== null) return 'stored';
    return (await client.ask({ method: 'GET', name })).body.equals(bytes) ? 'stored' : 'exists';
  };
  return async (name, bytes) => {
    const before = turns.get(name) ?? Promise.resolve();
    const mine = before.then(
      () => putAlone(name, bytes),
      () => putAlone(name, bytes),
    );
    turns.set(name, mine);
    try {
      return await mine;
    } finally {
      if (turns.get(name) === mine) turns.delete(name);
    }
  };
}

function putWhole(client: S3Client, object: { name: string; bytes: Uint8Array; conditional: boolean }) {
  const sha256 = contentHash(object.name, object.bytes);
  const headers: Record<string, string> = { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') };
  if (object.conditional) headers['if-none-match'] = '*';
  return client.ask({
    method: 'PUT',
    name: object.name,
    headers,
    body: { bytes: object.bytes, sha256 },
    answers: object.conditional ? [412] : [],
  });
}
