/** The few calls the server makes to the vault service as its admin. Objects are reached through packages/vault. */
import {
  type Bucket,
  isFailureCode,
  type VaultPolicy,
  type VaultPolicyAnswer,
  vaultPolicyAnswerShape,
} from '@diskfleet/protocol';
import * as z from 'zod';
import type { Ctx } from '../context.ts';
import { ServerError } from '../errors.ts';
import { serverToken } from './grants.ts';
import type { FolderTest } from './types.ts';

const TIMEOUT_MS = 30_000;

const bytes = z.number().nullable();
const folderTestShape = z.object({
  ok: z.boolean(),
  writable: z.boolean(),
  megabytesPerSecond: bytes,
  freeBytes: bytes,
  totalBytes: bytes,
  isEmpty: z.boolean(),
  problem: z.string().nullable(),
});
const usageShape = z.object({ storedBytes: z.number(), objects: z.number(), freeBytes: bytes, totalBytes: bytes });
const errorShape = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const registeredShape = z.object({ folder: z.string() });

export function testFolder(ctx: Ctx, folder: string): Promise<FolderTest> {
  return call(ctx, { path: '/v1/test-folder', vaultId: 'folder-test', body: { folder }, shape: folderTestShape });
}

/** Registers an empty place; the answer is its name as the service knows it, without secrets. */
export function registerVault(
  ctx: Ctx,
  input: { vaultId: string } & ({ folder: string } | { bucket: Bucket }),
): Promise<{ folder: string }> {
  return call(ctx, { path: '/v1/vaults', vaultId: input.vaultId, body: input, shape: registeredShape });
}

export function readUsage(ctx: Ctx, vaultId: string): Promise<z.infer<typeof usageShape>> {
  return call(ctx, { path: `/v1/vaults/${vaultId}/usage`, vaultId, shape: usageShape });
}

export function readPolicy(ctx: Ctx, vaultId: string): Promise<VaultPolicyAnswer> {
  return call(ctx, { path: `/v1/vaults/${vaultId}/policy`, vaultId, shape: vaultPolicyAnswerShape });
}

export function storePolicy(ctx: Ctx, vaultId: string, policy: VaultPolicy): Promise<VaultPolicyAnswer> {
  return call(ctx, { path: `/v1/vaults/${vaultId}/policy`, vaultId, method: 'PUT', body: policy, shape: vaultPolicyAnswerShape });
}

/** What was removed long enough ago is destroyed now. */
export async function purgeVault(ctx: Ctx, vaultId: string): Promise<void> {
  await call(ctx, { path: `/v1/vaults/${vaultId}/purge`, vaultId, body: {}, shape: z.object({ gone: z.number() }) });
}

const removedShape = z.object({ objects: z.array(z.object({ name: z.string() })) });

/** Takes the removal of a point back. */
export async function undeleteObject(ctx: Ctx, vaultId: string, pointId: string): Promise<void> {
  const removed = await call(ctx, { path: `/v1/vaults/${vaultId}/removed?prefix=points/`, vaultId, shape: removedShape });
  const name = removed.objects.map((object) => object.name).find((one) => one.includes(`-${pointId}.`));
  if (!name) throw new ServerError('POINT_NOT_FOUND', 'it was not deleted, or is gone');
  await call(ctx, { path: `/v1/vaults/${vaultId}/undelete`, vaultId, body: { name }, shape: z.object({}) });
}

interface Request<T> {
  readonly method?: 'PUT';
  readonly path: string;
  readonly vaultId: string;
  readonly body?: unknown;
  readonly shape: z.ZodType<T>;
}

/** @throws ServerError VAULT_UNREACHABLE, or the service's own code. */
async function call<T>(ctx: Ctx, { path, vaultId, method, body, shape }: Request<T>): Promise<T> {
  const { token } = serverToken(ctx, vaultId, 'admin');
  const response = await fetch(`${ctx.settings.vaultUrl}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: 'error',
  }).catch((cause: unknown) => {
    throw new ServerError('VAULT_UNREACHABLE', 'the vault service does not answer', { retry: 'later', cause });
  });
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) {
    const parsed = shape.safeParse(answer);
    if (parsed.success) return parsed.data;
  }
  const failure = errorShape.safeParse(answer);
  if (!failure.success)
    throw new ServerError('VAULT_UNREACHABLE', `the vault service answered ${response.status}`, { retry: 'later' });
  const { code, message } = failure.data.error;
  throw new ServerError(isFailureCode(code) ? code : 'INTERNAL', message);
}
