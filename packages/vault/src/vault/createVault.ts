import { randomBytes, randomUUID } from 'node:crypto';
import { configName, encodeConfig, formatVersion, gcFeature, keyCheck, type VaultConfig } from '../config/config.ts';
import { VaultError } from '../errors.ts';
import { defaultCost, type PassphraseCost, wrapKeys } from '../keys/passphrase.ts';
import { generateVaultKeys, publicFromPrivate } from '../keys/seal.ts';
import { openStore } from '../stores/openStore.ts';
import type { IdAlgorithm, Store, StoreConfig, Unlock, Vault, VaultKeys } from '../types.ts';
import { openVaultIn } from './openVault.ts';

export interface CreateVault {
  /**
   * `none`: not encrypted. `passphrase`: keys are made here and wrapped by it. `keys`: a set of `generateVaultKeys()` that the
   * caller keeps; nothing in the store can open the vault then.
   */
  readonly encryption: Unlock;
  readonly idAlgorithm?: IdAlgorithm;
  /** A UUID; made up when left out. */
  readonly vaultId?: string;
  readonly passphraseCost?: PassphraseCost;
  readonly now?: () => Date;
}

/** Makes an empty vault and opens it. @throws VaultError `VAULT_EXISTS`, and what the store throws. */
export async function createVault(config: StoreConfig, options: CreateVault): Promise<Vault> {
  const store = await openStore(config, { create: true });
  return createVaultIn(store, config, options);
}

export async function createVaultIn(store: Store, storeConfig: StoreConfig, options: CreateVault): Promise<Vault> {
  if ((await store.head(configName)) !== null) throw exists(store);
  await refuseRemains(store);
  const vaultId = options.vaultId ?? randomUUID();
  const keys = keysFor(options.encryption);
  const encrypted = keys.publicKey !== null;
  const draft: Omit<VaultConfig, 'keyCheck'> = {
    format: 'diskfleet-vault',
    formatVersion,
    features: { read: [], write: [gcFeature], gc: [gcFeature] },
    vaultId,
    createdAt: (options.now ?? (() => new Date()))().toISOString(),
    encryption: encrypted ? 'x25519-hkdf-aes256gcm' : 'none',
    publicKey: keys.publicKey === null ? null : Buffer.from(keys.publicKey).toString('hex'),
    idAlgorithm: options.idAlgorithm ?? 'blake3',
    idKey: encrypted ? null : Buffer.from(keys.idKey).toString('hex'),
  };
  const { encryption } = options;
  if (encryption.kind === 'passphrase') {
    // Before the config: a vault that can be seen can be opened.
    const cost = options.passphraseCost ?? defaultCost;
    const wrapped = await wrapKeys(keys, encryption.passphrase, { vaultId, cost });
    await store.put(`keys/${randomBytes(8).toString('hex')}`, wrapped);
  }
  const bytes = encodeConfig({ ...draft, keyCheck: keyCheck(keys.idKey, draft) });
  const result = await store.put(configName, bytes);
  // Over a network a first answer may have been lost and the second say "exists" of our own config.
  if (result === 'exists' && !(await store.get(configName)).equals(bytes)) throw exists(store);
  return openVaultIn(store, storeConfig, { kind: 'keys', keys });
}

/** A vault that lost its config is still a vault: a new config over its points and packs would cut them off for good. */
async function refuseRemains(store: Store): Promise<void> {
  for (const prefix of ['points/', 'packs/', 'index/']) {
    for await (const { name } of store.list(prefix)) {
      throw new VaultError('VAULT_EXISTS', `${store.location} holds objects of a vault whose config is missing, such as ${name}`);
    }
  }
}

function exists(store: Store): VaultError {
  return new VaultError('VAULT_EXISTS', `there already is a vault in ${store.location}`);
}

function keysFor(encryption: Unlock): VaultKeys {
  switch (encryption.kind) {
    case 'none':
      return { idKey: randomBytes(32), publicKey: null, privateKey: null };
    case 'passphrase':
      if (encryption.passphrase === '') throw new VaultError('VAULT_WRONG_PASSPHRASE', 'an empty passphrase protects nothing');
      return generateVaultKeys();
    case 'keys': {
      const { keys } = encryption;
      const fits =
        keys.privateKey === null || (keys.publicKey !== null && publicFromPrivate(keys.privateKey).equals(keys.publicKey));
      if (!fits) throw new VaultError('VAULT_WRONG_PASSPHRASE', 'the private key does not belong to the public key');
      return keys;
    }
  }
}
