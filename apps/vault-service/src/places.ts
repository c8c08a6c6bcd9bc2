/**
 * Where a vault's objects lie: a folder of this machine, or a bucket of an S3-compatible storage. The keys of a bucket stay in this
 * service's own configuration (a file of its user alone): neither the server's database nor any agent ever holds them.
 */
import { lookup } from 'node:dns/promises';
import { mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { BlockList, isIPv6 } from 'node:net';
import { dirname, isAbsolute, sep } from 'node:path';
import type { Bucket } from '@diskfleet/protocol';
import { openStore, type Store, type StoreConfig } from '@diskfleet/vault';
import { ServiceError } from './errors.ts';

export type Place = { readonly folder: string } | { readonly bucket: Bucket };

/** For people and messages; holds no secret. */
export function locationOf(place: Place): string {
  if ('folder' in place) return place.folder;
  const { bucket, prefix, endpoint } = place.bucket;
  const at = endpoint === undefined ? '' : ` at ${new URL(endpoint).host}`;
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}${at}`;
}

/** Makes a folder usable, and says where it really is. @throws ServiceError when the place cannot hold a new vault. */
export async function prepareNew(place: Place, options: { allowLoopback: boolean }): Promise<Place> {
  if ('folder' in place) {
    const folder = await prepareFolder(place.folder);
    if ((await readdir(folder)).some((name) => name !== 'lost+found'))
      throw new ServiceError(409, 'VAULT_EXISTS', 'the folder is not empty: choose an empty one for a new vault');
    return { folder };
  }
  const store = await openPlace(place, options);
  try {
    for await (const { name } of store.list(''))
      throw new ServiceError(409, 'VAULT_EXISTS', `there is a vault at ${locationOf(place)} already (${name})`);
    return place;
  } finally {
    await store.close();
  }
}

/** Two vaults in one another would take each other's objects for their own. */
export function overlap(a: Place, b: Place): boolean {
  if ('folder' in a && 'folder' in b) return isInside(a.folder, b.folder, sep) || isInside(b.folder, a.folder, sep);
  if (!('bucket' in a) || !('bucket' in b)) return false;
  const at = ({ endpoint, region, bucket }: Bucket) => `${endpoint === undefined ? region : new URL(endpoint).origin} ${bucket}`;
  const [one, other] = [a.bucket.prefix, b.bucket.prefix];
  return at(a.bucket) === at(b.bucket) && (one === '' || other === '' || isInside(one, other, '/') || isInside(other, one, '/'));
}

export async function openPlace(place: Place, options: { allowLoopback: boolean }): Promise<Store> {
  return openStore('folder' in place ? { kind: 'directory', path: place.folder } : await bucketConfig(place.bucket, options));
}

async function bucketConfig(bucket: Bucket, options: { allowLoopback: boolean }): Promise<StoreConfig> {
  const { accessKeyId, secretAccessKey, ...rest } = bucket;
  if (rest.endpoint !== undefined) await refuseInward(new URL(rest.endpoint), options);
  return { kind: 's3', ...rest, credentials: { accessKeyId, secretAccessKey }, patienceMs: 20_000 };
}

const inward = new BlockList();
inward.addSubnet('169.254.0.0', 16);
inward.addSubnet('0.0.0.0', 8);
inward.addSubnet('fe80::', 10, 'ipv6');
inward.addAddress('::', 'ipv6');
inward.addSubnet('fd00:ec2::', 32, 'ipv6');
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** An address people type must not make this service talk to itself or to what hands a machine its secrets. */
async function refuseInward(endpoint: URL, { allowLoopback }: { allowLoopback: boolean }): Promise<void> {
  const host = endpoint.hostname.replace(/^\[|\]$/g, '');
  const found = await lookup(host, { all: true }).catch((cause: unknown) => {
    throw new ServiceError(422, 'VAULT_UNREACHABLE', `the storage's address cannot be found: ${messageOf(cause)}`);
  });
  for (const { address } of found) {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (inward.check(address, family) || (!allowLoopback && loopback.check(address, family)))
      throw new ServiceError(422, 'INVALID_INPUT', `${host} is an address inside this machine: name the storage itself`);
  }
}

async function prepareFolder(folder: string): Promise<string> {
  if (!isAbsolute(folder)) throw new ServiceError(400, 'INVALID_INPUT', 'the folder must be an absolute path');
  try {
    await makeFolder(folder);
    return await realpath(folder);
  } catch (cause) {
    throw new ServiceError(422, 'VAULT_STORE_FAILED', `the folder cannot be made or entered: ${messageOf(cause)}`);
  }
}

/** Makes a folder and its parents one by one: a recursive mkdir never returns where the parent cannot hold folders (as /proc). */
export async function makeFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder) await makeFolder(parent);
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function isInside(inner: string, outer: string, separator: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(separator) ? outer : outer + separator);
}
