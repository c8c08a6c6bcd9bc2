/** Opens the vault a command names, with as much key as the command needs. */
import { resolve } from 'node:path';
import { openVault, type StoreConfig, type Vault } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import type { Args, Cli, OptionSpec } from './command.ts';
import { required } from './parse.ts';
import { askedUnlock, givenUnlock, keyOptions } from './secrets.ts';

export const vaultOptions: Readonly<Record<string, OptionSpec>> = {
  vault: { type: 'string', value: 'FOLDER', help: 'The vault.' },
  ...keyOptions,
};

/** @throws AgentError `USAGE` */
export function vaultPlace(text: string): StoreConfig {
  if (/^[a-z0-9]+:\/\//i.test(text)) {
    throw new AgentError('USAGE', `"${text}": this version opens vaults in folders; mount other storage and give its folder`);
  }
  return { kind: 'directory', path: resolve(text) };
}

/** @throws AgentError `USAGE` */
export function namedVault(cli: Cli, args: Args): StoreConfig {
  return vaultPlace(required(args.text('vault') ?? cli.env.DISKFLEET_VAULT, 'The vault (--vault FOLDER)'));
}

/**
 * `list`: no key is asked for, since headers of points are readable without. `full`: an encrypted vault is opened with its
 * keys, asking for the passphrase when none was given.
 */
export async function openVaultFor(cli: Cli, args: Args, need: 'list' | 'full'): Promise<Vault> {
  const place = namedVault(cli, args);
  const given = await givenUnlock(cli, args);
  if (given !== null) return openVault(place, given);
  const vault = await openVault(place, { kind: 'none' });
  if (need === 'list' || !vault.encrypted) return vault;
  await vault.close();
  return openVault(place, await askedUnlock(cli));
}

/** Runs `work` with the vault open and closes it whatever happens. */
export async function withVault<T>(vault: Vault, work: (vault: Vault) => Promise<T>): Promise<T> {
  try {
    return await work(vault);
  } finally {
    await vault.close();
  }
}
