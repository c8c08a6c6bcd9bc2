/** `s3://bucket/prefix` and the environment that says how to reach it; the variables other S3 tools use. */
import type { StoreConfig } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';

/** Null when the text names no bucket. @throws AgentError `USAGE` when it does and the credentials are not there. */
export function bucketPlace(text: string, env: Readonly<Record<string, string | undefined>>): StoreConfig | null {
  const named = /^s3:\/\/([^/]+)((?:\/.*)?)$/i.exec(text);
  if (named === null) return null;
  const [, bucket = '', path = ''] = named;
  const accessKeyId = env.AWS_ACCESS_KEY_ID ?? '';
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY ?? '';
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new AgentError('USAGE', `"${text}" needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment`);
  }
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
  if (!/^[a-z0-9-]{1,60}$/i.test(region)) throw new AgentError('USAGE', `AWS_REGION: "${region}" is not a region`);
  return {
    kind: 's3',
    bucket,
    prefix: path.replace(/^\/+|\/+$/g, ''),
    region,
    endpoint: env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || undefined,
    credentials: { accessKeyId, secretAccessKey, sessionToken: env.AWS_SESSION_TOKEN || undefined },
  };
}
