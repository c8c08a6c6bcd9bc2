/** What export, import and copy have in common: the second passphrase, and sizes as people write them. */
import { extname, resolve } from 'node:path';
import { openVault, type StoreConfig, type Unlock, type Vault } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import type { Args, Cli } from './command.ts';
import { askedUnlock, givenUnlock, otherPassphrase } from './secrets.ts';

/** Where the second secret of a command comes from. */
export interface SecondSecret {
  /** Name of the option that names a file. */
  readonly option: string;
  /** Name of the environment variable. */
  readonly variable: string;
}

export const fileSecret: SecondSecret = { option: 'file-passphrase-file', variable: 'DISKFLEET_FILE_PASSPHRASE' };
export const toSecret: SecondSecret = { option: 'to-passphrase-file', variable: 'DISKFLEET_TO_PASSPHRASE' };

export interface Opened {
  readonly vault: Vault;
  /** How it was opened; `none` when it is not encrypted. */
  readonly unlock: Unlock;
}

/** Opens a vault with its keys, and says with which: a passphrase is often that of the other side too. */
export async function openWithUnlock(cli: Cli, place: StoreConfig, given: Unlock | null): Promise<Opened> {
  if (given !== null && given.kind !== 'none') {
    const vault = await openVault(place, given);
    return { vault, unlock: vault.encrypted ? given : { kind: 'none' } };
  }
  const vault = await openVault(place, { kind: 'none' });
  if (!vault.encrypted) return { vault, unlock: { kind: 'none' } };
  await vault.close();
  const unlock = await askedUnlock(cli);
  return { vault: await openVault(place, unlock), unlock };
}

/** The other side: by its own passphrase if one was given, else by the one of the first side, if that is a passphrase. */
export async function openOther(
  cli: Cli,
  args: Args,
  other: { place: StoreConfig; secret: SecondSecret; first: Unlock },
): Promise<Opened> {
  const own = await otherPassphrase(cli, args, other.secret);
  if (own !== null) return openWithUnlock(cli, other.place, { kind: 'passphrase', passphrase: own });
  return openWithUnlock(cli, other.place, other.first.kind === 'passphrase' ? other.first : null);
}

export async function openFirst(cli: Cli, args: Args, place: StoreConfig): Promise<Opened> {
  return openWithUnlock(cli, place, await givenUnlock(cli, args));
}

/** A portable file by its first part, or null for any other text. */
export function portableFile(text: string): StoreConfig | null {
  return ['.adi', '.afi'].includes(extname(text).toLowerCase()) ? { kind: 'file', path: resolve(text) } : null;
}

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const smallestPartBytes = 1 << 20;

/** `4GiB`, `700M`, `1048576`. @throws AgentError `USAGE` */
export function splitBytesOf(text: string | null): number | null {
  if (text === null) return null;
  const [, digits = '', unit = ''] = /^(\d{1,15})\s*([KMGT]?)(?:i?B)?$/i.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (units[unit.toUpperCase()] ?? Number.NaN);
  if (digits === '' || !Number.isSafeInteger(bytes) || bytes < smallestPartBytes) {
    throw new AgentError('USAGE', `--split must be a size of at least 1MiB, such as 4GiB, not "${text}"`);
  }
  return bytes;
}
