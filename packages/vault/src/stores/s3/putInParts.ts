/** Multipart upload: parts one after the other, each with its own checksum, visible all at once or never. */
import { VaultError } from '../../errors.ts';
import { sha256 } from '../../keys/derive.ts';
import type { S3Client } from './s3Client.ts';
import { textIn } from './xml.ts';

interface LargeObject {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly partBytes: number;
  /** Ask the server to refuse when the name was taken meanwhile. */
  readonly conditional: boolean;
}

/** @throws VaultError; an upload that fails is aborted, so that its parts cost no room. */
export async function putInParts(client: S3Client, object: LargeObject): Promise<'stored' | 'exists'> {
  const { name } = object;
  const begun = await client.ask({
    method: 'POST',
    name,
    query: { uploads: '' },
    headers: { 'x-amz-checksum-algorithm': 'SHA256' },
  });
  const uploadId = textIn(begun.body.toString('utf8'), 'UploadId');
  if (uploadId === null) throw new VaultError('VAULT_STORE_FAILED', 'the storage began a multipart upload without an id');
  try {
    const result = await complete(client, object, { uploadId, list: await sendParts(client, object, uploadId) });
    if (result === 'exists') await abort(client, name, uploadId);
    return result;
  } catch (cause) {
    // What failed is the news; an upload left behind costs room until the bucket's own rule for stale uploads takes it.
    await abort(client, name, uploadId).catch(() => {});
    throw cause;
  }
}

async function abort(client: S3Client, name: string, uploadId: string): Promise<void> {
  await client.ask({ method: 'DELETE', name, query: { uploadId }, answers: [404] });
}

/** The list of parts, as `complete` sends it. */
async function sendParts(client: S3Client, { name, bytes, partBytes }: LargeObject, uploadId: string): Promise<string> {
  let list = '';
  for (let at = 0, number = 1; at < bytes.length; at += partBytes, number++) {
    const part = bytes.subarray(at, at + partBytes);
    const hash = sha256(part);
    const checksum = hash.toString('base64');
    const reply = await client.ask({
      method: 'PUT',
      name,
      query: { partNumber: String(number), uploadId },
      headers: { 'x-amz-checksum-sha256': checksum },
      body: { bytes: part, sha256: hash.toString('hex') },
    });
    const etag = reply.headers.etag ?? '';
    // Only servers that keep checksums want them back.
    const kept = reply.headers['x-amz-checksum-sha256'] === checksum ? `<ChecksumSHA256>${checksum}</ChecksumSHA256>` : '';
    list += `<Part><PartNumber>${number}</PartNumber><ETag>${escaped(etag)}</ETag>${kept}</Part>`;
  }
  return list;
}

async function complete(
  client: S3Client,
  { name, conditional, bytes }: LargeObject,
  parts: { uploadId: string; list: string },
): Promise<'stored' | 'exists'> {
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.list}</CompleteMultipartUpload>`);
  const reply = await client.ask({
    method: 'POST',
    name,
    query: { uploadId: parts.uploadId },
    headers: { 'content-type': 'application/xml', ...(conditional ? { 'if-none-match': '*' } : {}) },
    body: { bytes: body, sha256: sha256(body).toString('hex') },
    answers: [412, 404],
  });
  const xml = reply.body.toString('utf8');
  if (reply.status === 412) return 'exists';
  // Gone: an earlier try completed it unheard, or somebody aborted it. A status of 200 may still carry a failure.
  if (reply.status === 404 || xml.includes('<Error>')) {
    const there = await client.ask({ method: 'HEAD', name, answers: [404] });
    if (reply.status === 404 && Number(there.headers['content-length']) === bytes.length && there.status === 200) return 'stored';
    throw new VaultError(
      'VAULT_STORE_FAILED',
      `the storage did not join the parts of ${name}: ${textIn(xml, 'Code') ?? reply.status}`,
      {
        retry: 'later',
      },
    );
  }
  return 'stored';
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
