import type { VaultGrant } from '@diskfleet/protocol';
import { makeTokenCell, openVault, renewToken, type Vault } from '@diskfleet/vault';

/** Opens the vault of a job through its service. Keys and token stay in memory; a newer token is used by all threads of the run. */
export function openJobVault(
  onToken: (use: (token: string) => void) => void,
  patienceSeconds: number | undefined,
): (grant: VaultGrant) => Promise<Vault> {
  const patience = patienceSeconds === undefined ? {} : { patienceMs: patienceSeconds * 1000 };
  return (grant) => {
    const tokenCell = makeTokenCell();
    onToken((token) => renewToken(tokenCell, token));
    const place = { kind: 'service' as const, baseUrl: vaultUrl(grant), token: grant.token, tokenCell, ...patience };
    return openVault(place, { kind: 'keys', keys: keysOf(grant) });
  };
}

/** The grant may name the service or the vault in it. */
export function vaultUrl({ baseUrl, vaultId }: Pick<VaultGrant, 'baseUrl' | 'vaultId'>): string {
  const base = baseUrl.replace(/\/+$/, '');
  return base.endsWith(`/${vaultId}`) ? base : `${base}/v1/vaults/${vaultId}`;
}

function keysOf({ keys: { idKey, publicKey, privateKey } }: VaultGrant) {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text, 'base64'));
  return { idKey: Buffer.from(idKey, 'base64'), publicKey: bytes(publicKey), privateKey: bytes(privateKey) };
}
