/** [F4] `keys/<id>`: the id key and the private key, wrapped by a key that argon2id makes of a passphrase. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { hashRaw } from '@node-rs/argon2';
import * as z from 'zod';
import { openText, sealText } from '../config/checkedText.ts';
import { VaultError } from '../errors.ts';
import type { VaultKeys } from '../types.ts';
import { publicFromPrivate } from './seal.ts';

/** How hard guessing is made; both values are stored with the key, so they can rise with time. */
export interface PassphraseCost {
  readonly memoryKiB: number;
  readonly passes: number;
}

export const defaultCost: PassphraseCost = { memoryKiB: 65536, passes: 3 };

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));

const keyShape = z.strictObject({
  format: z.literal('diskfleet-key'),
  version: z.literal(1),
  vaultId: z.string(),
  kdf: z.literal('argon2id'),
  // The ceilings keep a hostile file from eating the memory of whoever opens the vault.
  memoryKiB: z
    .int()
    .min(8)
    .max(4 << 20),
  passes: z.int().min(1).max(100),
  salt: hex(16),
  nonce: hex(12),
  wrapped: hex(64 + 16),
});

async function wrappingKey(passphrase: string, salt: Uint8Array, cost: PassphraseCost): Promise<Buffer> {
  const argon2id = 2;
  return hashRaw(passphrase.normalize('NFC'), {
    algorithm: argon2id,
    memoryCost: cost.memoryKiB,
    timeCost: cost.passes,
    parallelism: 1,
    outputLen: 32,
    salt,
  });
}

const aadOf = (vaultId: string) => Buffer.from(`diskfleet v1 key ${vaultId}`);

/** The bytes of a `keys/<id>` object. */
export async function wrapKeys(keys: VaultKeys, passphrase: string, options: { vaultId: string; cost: PassphraseCost }) {
  if (keys.privateKey === null)
    throw new VaultError('VAULT_KEY_NEEDED', 'only someone who holds the private key can protect it anew');
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', await wrappingKey(passphrase, salt, options.cost), nonce);
  cipher.setAAD(aadOf(options.vaultId));
  const wrapped = Buffer.concat([cipher.update(keys.idKey), cipher.update(keys.privateKey), cipher.final(), cipher.getAuthTag()]);
  return sealText({
    format: 'diskfleet-key',
    version: 1,
    vaultId: options.vaultId,
    kdf: 'argon2id',
    ...options.cost,
    salt: salt.toString('hex'),
    nonce: nonce.toString('hex'),
    wrapped: wrapped.toString('hex'),
  } satisfies z.infer<typeof keyShape>);
}

/** Null when the passphrase is not the one this key was made with. @throws VaultError `VAULT_DAMAGED`. */
export async function unwrapKeys(
  bytes: Uint8Array,
  passphrase: string,
  source: { name: string; vaultId: string },
): Promise<VaultKeys | null> {
  const parsed = keyShape.safeParse(openText(bytes, source.name));
  if (!parsed.success || parsed.data.vaultId !== source.vaultId) {
    throw new VaultError('VAULT_DAMAGED', `${source.name} is not a key of this vault`);
  }
  const file = parsed.data;
  const key = await wrappingKey(passphrase, Buffer.from(file.salt, 'hex'), file);
  const wrapped = Buffer.from(file.wrapped, 'hex');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(file.nonce, 'hex'), { authTagLength: 16 });
  decipher.setAAD(aadOf(source.vaultId));
  decipher.setAuthTag(wrapped.subarray(64));
  const plain = decipher.update(wrapped.subarray(0, 64));
  try {
    decipher.final();
  } catch {
    return null;
  }
  const privateKey = Buffer.from(plain.subarray(32));
  return { idKey: Buffer.from(plain.subarray(0, 32)), privateKey, publicKey: publicFromPrivate(privateKey) };
}
