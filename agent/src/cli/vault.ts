import { readdir } from 'node:fs/promises';
import { createVault, openStore, type StoreConfig, type VaultInfo } from '@diskfleet/vault';
import { AgentError, codeOf } from '../errors.ts';
import { formatBytes } from '../words.ts';
import type { Cli, Command } from './command.ts';
import { noMore, required } from './parse.ts';
import { keyOptions, newPassphrase } from './secrets.ts';
import { namedVault, openVaultFor, vaultOptions, vaultPlace, withVault } from './vaultAccess.ts';

export const vaultCreateCommand: Command = {
  name: 'vault create',
  group: 'Vault',
  summary: 'Make a vault, the place where restore points live.',
  usage: '<folder> [--unencrypted]',
  details: `The folder must be empty or not exist yet; s3://bucket/prefix names a place in a bucket, reached with AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL from the environment. The vault is encrypted with a passphrase unless --unencrypted is given.
Without the passphrase nobody can restore from it: keep it safe.`,
  options: {
    unencrypted: { type: 'boolean', help: 'Anyone who can read the folder can read the backups.' },
    'passphrase-file': keyOptions['passphrase-file'] ?? { type: 'string', help: '' },
  },
  examples: ['diskfleet vault create /mnt/backup/vault', 'diskfleet vault create vault --unencrypted'],
  async run(cli, args) {
    const folder = required(args.positionals[0] ?? args.text('vault'), 'The folder');
    noMore(args.positionals, 1);
    const place = vaultPlace(folder, cli.env);
    await refuseForeign(place);
    const unlock = args.flag('unencrypted')
      ? { kind: 'none' as const }
      : { kind: 'passphrase' as const, passphrase: await newPassphrase(cli, args) };
    const info = await withVault(await createVault(place, { encryption: unlock, now: cli.now }), (vault) => vault.info());
    const facts = await storageFacts(place);
    const warnings = info.encrypted
      ? facts
      : [...facts, 'this vault is not encrypted: anyone who can read the folder can read the backups'];
    for (const warning of warnings) await note(cli, warning);
    return {
      json: { ...info, location: place.kind === 'directory' ? place.path : folder },
      text: `Made vault ${info.id} in ${folder}.`,
    };
  },
};

export const vaultInfoCommand: Command = {
  name: 'vault info',
  group: 'Vault',
  summary: 'Show what a vault holds.',
  usage: '--vault FOLDER',
  details: 'Needs no key: counts and sizes are readable by anyone who can list the vault.',
  options: vaultOptions,
  examples: ['diskfleet vault info --vault /mnt/backup/vault --json'],
  async run(cli, args) {
    const named = args.positionals[0];
    noMore(args.positionals, 1);
    const withName =
      named === undefined ? args : { ...args, text: (name: string) => (name === 'vault' ? named : args.text(name)) };
    const info = await withVault(await openVaultFor(cli, withName, 'list'), (vault) => vault.info());
    const storage = await storageFacts(namedVault(cli, withName));
    return {
      json: storage.length === 0 ? info : { ...info, storage },
      text: [textOf(info), ...storage.map((fact) => `Storage    ${fact}`)].join('\n'),
    };
  },
};

/** What a vault is made of; the vault itself judges whether it may be there. */
const ofVaults: ReadonlySet<string> = new Set([
  'config',
  'keys',
  'packs',
  'index',
  'points',
  'sessions',
  'gc',
  'tmp',
  'lost+found',
]);

/** A vault among other files would be taken for them, and they for it. @throws AgentError `INVALID_INPUT` */
async function refuseForeign(place: StoreConfig): Promise<void> {
  if (place.kind !== 'directory') return;
  const names = await readdir(place.path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    if (codeOf(error) === 'ENOTDIR') throw new AgentError('INVALID_INPUT', `${place.path} is not a folder`);
    throw error;
  });
  const foreign = names.find((name) => !ofVaults.has(name));
  if (foreign === undefined) return;
  throw new AgentError('INVALID_INPUT', `${place.path} is not empty (it holds ${foreign}): choose an empty folder or a new one`);
}

/** What the storage under a vault does that people should know, e.g. that it locks what it holds. */
async function storageFacts(place: StoreConfig): Promise<readonly string[]> {
  if (place.kind !== 's3') return [];
  const store = await openStore(place);
  try {
    return (await store.facts?.()) ?? [];
  } finally {
    await store.close();
  }
}

async function note(cli: Cli, text: string): Promise<void> {
  await cli.stderr.write(`Note: ${text}\n`);
}

function textOf(info: VaultInfo): string {
  return [
    `Vault      ${info.id}`,
    `Encrypted  ${info.encrypted ? 'yes' : 'NO: anyone who can read the folder can read the backups'}`,
    `Points     ${info.points}`,
    `Stored     ${formatBytes(info.storedBytes)} in ${info.packs} packs, ${info.chunks} chunks`,
    `Format     ${info.formatVersion}`,
  ].join('\n');
}
