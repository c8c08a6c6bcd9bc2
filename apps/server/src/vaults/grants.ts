/**
 * Access to a vault for one job: a capability token of six hours and the keys it needs, no more. A backup gets no private key, so
 * a machine cannot read what it stored, nor what others did.
 */
import type { JobRequest, vaults } from '@diskfleet/db';
import { signGrant, type VaultGrant, type VaultVerb } from '@diskfleet/protocol';
import type { VaultKeys } from '@diskfleet/vault';
import type { Ctx } from '../context.ts';
import { openSecret, type Place } from '../secrets/envelope.ts';

export type VaultRow = typeof vaults.$inferSelect;

const TOKEN_MS = 6 * 3_600_000;

/** Verbs of each kind of job, and whether it opens content. */
function needs(request: JobRequest): { verbs: VaultVerb[]; opens: boolean } {
  if (request.kind === 'backup') return { verbs: ['write'], opens: false };
  return { verbs: ['read'], opens: request.kind !== 'verify' || request.level === 'content' };
}

interface GrantFor {
  readonly machineId: string;
  readonly request: JobRequest;
}

export function vaultGrant(ctx: Ctx, vault: VaultRow, job: GrantFor): { grant: VaultGrant; untilMs: number } {
  const { token, untilMs } = vaultToken(ctx, { ...job, vaultId: vault.id });
  const keys = vaultKeys(ctx, vault);
  const text = (key: Uint8Array | null) => (key ? Buffer.from(key).toString('base64') : null);
  const grant = {
    vaultId: vault.id,
    baseUrl: `${ctx.settings.vaultPublicUrl}/v1/vaults/${vault.id}`,
    token,
    keys: {
      idKey: Buffer.from(keys.idKey).toString('base64'),
      publicKey: text(keys.publicKey),
      privateKey: needs(job.request).opens ? text(keys.privateKey) : null,
    },
  };
  return { grant, untilMs };
}

/** A token alone, e.g. a newer one for a job that is running. */
export function vaultToken(ctx: Ctx, job: GrantFor & { readonly vaultId: string }): { token: string; untilMs: number } {
  return signToken(ctx, { vaultId: job.vaultId, machineId: job.machineId, verbs: needs(job.request).verbs });
}

/** The server's own tokens: `admin` to make vaults and ask for their size, `read` to look into them. */
export function serverToken(ctx: Pick<Ctx, 'now' | 'secrets'>, vaultId: string, verb: 'admin' | 'read') {
  return signToken(ctx, { vaultId, machineId: null, verbs: [verb] });
}

interface TokenFor {
  readonly vaultId: string;
  readonly machineId: string | null;
  readonly verbs: VaultVerb[];
}

function signToken(ctx: Pick<Ctx, 'now' | 'secrets'>, fields: TokenFor): { token: string; untilMs: number } {
  const untilMs = ctx.now().getTime() + TOKEN_MS;
  const expiresAt = new Date(untilMs).toISOString();
  return { token: signGrant(ctx.secrets.identity.privateKey, { purpose: 'vault', ...fields, expiresAt }), untilMs };
}

/** Where the secrets of a vault's row are bound to. */
export function placeOf(vaultId: string, column: 'sealedIdKey' | 'sealedPrivateKey'): Place {
  return { table: 'vaults', id: vaultId, column };
}

/** In memory only. */
export function vaultKeys(ctx: Pick<Ctx, 'secrets'>, vault: VaultRow): VaultKeys {
  const { masterKey } = ctx.secrets;
  return {
    idKey: openSecret(masterKey, placeOf(vault.id, 'sealedIdKey'), vault.sealedIdKey),
    publicKey: vault.publicKey ? Buffer.from(vault.publicKey, 'base64') : null,
    privateKey: vault.sealedPrivateKey
      ? openSecret(masterKey, placeOf(vault.id, 'sealedPrivateKey'), vault.sealedPrivateKey)
      : null,
  };
}
