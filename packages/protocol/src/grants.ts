/**
 * Signed permissions. A grant is one object: `base64url(json).base64url(signature)`, Ed25519 by the server's key, with its
 * purpose inside the signed bytes so that one kind can never be used as another.
 * Vault tokens let an agent use a vault service; write grants let an agent overwrite one named target once.
 */
import { type KeyObject, sign, verify } from 'node:crypto';
import * as z from 'zod';
import { hex64, uuid } from './text.ts';

export const vaultVerbs = ['write', 'read', 'admin'] as const;
export type VaultVerb = (typeof vaultVerbs)[number];

/**
 * `write`: put new packs, index segments, sessions, and points of `machineId`; list and read index segments; no content.
 * `read`: get and list anything of the vault. `admin`: create the vault, set its policy and remove objects; the server itself or an
 * admin's command line holds it, never a machine: a token that names one cannot have it.
 */
export const vaultTokenShape = z
  .object({
    purpose: z.literal('vault'),
    vaultId: z.string().max(64),
    machineId: z.string().max(64).nullable(),
    verbs: z.array(z.enum(vaultVerbs)).min(1),
    expiresAt: z.iso.datetime(),
  })
  .refine(({ machineId, verbs }) => machineId === null || !verbs.includes('admin'), 'no machine is an admin');
export type VaultToken = z.infer<typeof vaultTokenShape>;

/** Permission to overwrite one disk once. The agent re-checks every field against the real disk and journals the nonce. */
export const writeGrantShape = z.object({
  purpose: z.literal('diskWrite'),
  nonce: uuid,
  machineId: uuid,
  jobId: uuid,
  planHash: hex64,
  targetKey: z.string().max(200),
  targetFingerprint: z.string().max(64),
  expiresAt: z.iso.datetime(),
  approvedBy: z.string().max(254),
});
export type WriteGrant = z.infer<typeof writeGrantShape>;

/** Signs a grant. The payload is parsed first, so nothing malformed is ever signed. */
export function signGrant(privateKey: KeyObject, grant: VaultToken | WriteGrant): string {
  const shape = grant.purpose === 'vault' ? vaultTokenShape : writeGrantShape;
  const payload = Buffer.from(JSON.stringify(shape.parse(grant)), 'utf8');
  return `${payload.toString('base64url')}.${sign(null, signedBytes(payload), privateKey).toString('base64url')}`;
}

export type GrantProblem = 'malformed' | 'bad-signature' | 'wrong-purpose' | 'expired';

/** Checks signature, purpose and expiry. Never throws. */
export function openVaultToken(publicKey: KeyObject, text: string, now: Date): VaultToken | GrantProblem {
  return open(publicKey, text, now, vaultTokenShape);
}

/** As `openVaultToken`, for write grants. */
export function openWriteGrant(publicKey: KeyObject, text: string, now: Date): WriteGrant | GrantProblem {
  return open(publicKey, text, now, writeGrantShape);
}

function signedBytes(payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('diskfleet-grant-v1\0', 'utf8'), payload]);
}

function open<T extends { expiresAt: string }>(
  publicKey: KeyObject,
  text: string,
  now: Date,
  shape: z.ZodType<T>,
): T | GrantProblem {
  const parts = /^([A-Za-z0-9_-]{1,8000})\.([A-Za-z0-9_-]{86})$/.exec(text);
  if (!parts?.[1] || !parts[2]) return 'malformed';
  const payload = Buffer.from(parts[1], 'base64url');
  if (!verify(null, signedBytes(payload), publicKey, Buffer.from(parts[2], 'base64url'))) return 'bad-signature';
  const parsed = shape.safeParse(parseJson(payload.toString('utf8')));
  if (!parsed.success) return 'wrong-purpose';
  return Date.parse(parsed.data.expiresAt) > now.getTime() ? parsed.data : 'expired';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
