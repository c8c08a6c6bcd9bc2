/** [F3] `config`: what the vault is, fixed when it is made. Everything else in the vault is read by its light. */
import * as z from 'zod';
import { VaultError } from '../errors.ts';
import { deriveKey, hmac } from '../keys/derive.ts';
import type { VaultKeys } from '../types.ts';
import { checkTextSize, openText, sealText } from './checkedText.ts';

export const configName = 'config';
export const formatVersion = 1;

/** [F21] Writers of this vault heed the sweeper. */
export const gcFeature = 'gc';
/** Features a program must understand to do the named thing with this vault. */
const knownFeatures: ReadonlySet<string> = new Set([gcFeature]);

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

const configShape = z
  .strictObject({
    format: z.literal('diskfleet-vault'),
    formatVersion: z.literal(formatVersion),
    features: z.strictObject({ read: z.array(z.string()), write: z.array(z.string()), gc: z.array(z.string()) }),
    vaultId: z.uuid(),
    createdAt: z.iso.datetime(),
    encryption: z.enum(['none', 'x25519-hkdf-aes256gcm']),
    publicKey: hex32.nullable(),
    idAlgorithm: z.enum(['blake3', 'hmac-sha256']),
    /** Only in an unencrypted vault, where it guards nothing. */
    idKey: hex32.nullable(),
    keyCheck: hex32,
  })
  .refine(
    (config) =>
      (config.encryption === 'none') === (config.publicKey === null) && (config.publicKey === null) === (config.idKey !== null),
  );

export type VaultConfig = z.infer<typeof configShape>;

const versionShape = z.looseObject({ format: z.literal('diskfleet-vault'), formatVersion: z.int() });
const featuresShape = z.looseObject({ features: z.looseObject({ read: z.array(z.string()) }) });

/** Proves to a holder of the id key that nobody swapped the public key or the algorithms. */
export function keyCheck(idKey: Uint8Array, config: Omit<VaultConfig, 'keyCheck'>): string {
  const line = [
    config.format,
    config.formatVersion,
    config.vaultId,
    config.encryption,
    config.publicKey,
    config.idAlgorithm,
  ].join('\n');
  return hmac(deriveKey(idKey, config.vaultId, 'config'), line).toString('hex');
}

export function encodeConfig(config: VaultConfig): Buffer {
  return sealText(config);
}

/** @throws VaultError `VAULT_TOO_NEW` (naming both versions), `VAULT_DAMAGED`. */
export function decodeConfig(bytes: Uint8Array): VaultConfig {
  checkTextSize(bytes, configName);
  refuseNewer(bytes);
  const parsed = configShape.safeParse(openText(bytes, configName));
  if (!parsed.success) throw new VaultError('VAULT_DAMAGED', `the vault's config is damaged: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Looks at the version before the checksum: a later format may well check itself in another way. */
function refuseNewer(bytes: Uint8Array): void {
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').split('\n', 1)[0] ?? '';
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return;
  }
  const version = versionShape.safeParse(value);
  if (version.success && version.data.formatVersion > formatVersion) {
    throw new VaultError(
      'VAULT_TOO_NEW',
      `this vault has format version ${version.data.formatVersion}; this program reads up to version ${formatVersion}: update Diskfleet`,
    );
  }
  const features = featuresShape.safeParse(value);
  const unknown = features.success ? unknownFeatures(features.data.features.read) : [];
  if (version.success && unknown.length > 0) {
    throw new VaultError(
      'VAULT_TOO_NEW',
      `this vault (format version ${version.data.formatVersion}) uses ${unknown.join(', ')}, which this program (version ${formatVersion}) does not know: update Diskfleet`,
    );
  }
}

export function unknownFeatures(features: readonly string[]): string[] {
  return features.filter((feature) => !knownFeatures.has(feature));
}

/** @throws VaultError `VAULT_WRONG_PASSPHRASE` when the keys belong to another vault or the config was changed. */
export function checkKeys(config: VaultConfig, keys: VaultKeys): void {
  const sameKey = (keys.publicKey === null ? null : Buffer.from(keys.publicKey).toString('hex')) === config.publicKey;
  if (!sameKey || keyCheck(keys.idKey, config) !== config.keyCheck) {
    throw new VaultError('VAULT_WRONG_PASSPHRASE', 'these keys are not the keys of this vault, or its config was changed');
  }
}
