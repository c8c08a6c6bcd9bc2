/** Where the key of a vault comes from: environment, file, recovery kit, or a question with no echo. Never an argument. */
import { readFile } from 'node:fs/promises';
import type { Unlock } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import type { Args, Cli, OptionSpec } from './command.ts';
import { askHidden } from './prompt.ts';

export const keyOptions: Readonly<Record<string, OptionSpec>> = {
  'passphrase-file': { type: 'string', value: 'FILE', help: 'Read the passphrase from the first line of FILE.' },
  'recovery-kit': { type: 'string', value: 'FILE', help: 'Open the vault with the keys of a recovery kit.' },
};

/** What was given without asking anybody, or null. */
export async function givenUnlock(cli: Cli, args: Args): Promise<Unlock | null> {
  const kit = args.text('recovery-kit');
  if (kit !== null) return { kind: 'keys', keys: parseRecoveryKit(await readSecretFile(kit)) };
  const passphrase = await givenPassphrase(cli, args);
  return passphrase === null ? null : { kind: 'passphrase', passphrase };
}

/** @throws AgentError `VAULT_KEY_NEEDED` when nobody can be asked */
export async function askedUnlock(cli: Cli): Promise<Unlock> {
  return { kind: 'passphrase', passphrase: await askHidden(cli, 'Passphrase of the vault: ') };
}

/** The passphrase of a new vault: asked twice when a person types it. */
export async function newPassphrase(cli: Cli, args: Args): Promise<string> {
  const given = await givenPassphrase(cli, args);
  if (given !== null) return given;
  const first = await askHidden(cli, 'Passphrase for the new vault: ');
  if (first === '') throw new AgentError('INVALID_INPUT', 'the passphrase is empty; use --unencrypted for a vault without one');
  if ((await askHidden(cli, 'The same again: ')) !== first) throw new AgentError('INVALID_INPUT', 'the two passphrases differ');
  return first;
}

async function givenPassphrase(cli: Cli, args: Args): Promise<string | null> {
  const file = args.text('passphrase-file');
  const text = file === null ? cli.env.DISKFLEET_PASSPHRASE : (await readSecretFile(file)).split(/\r?\n/)[0];
  if (text === undefined) return null;
  if (text === '') throw new AgentError('INVALID_INPUT', 'the passphrase is empty');
  return text;
}

/** The passphrase of a second vault or file, from its own option or variable; null when neither was given. */
export async function otherPassphrase(
  cli: Cli,
  args: Args,
  source: { option: string; variable: string },
): Promise<string | null> {
  const file = args.text(source.option);
  return firstLine(file === null ? cli.env[source.variable] : await readSecretFile(file));
}

function firstLine(text: string | undefined): string | null {
  const line = text?.split(/\r?\n/)[0];
  if (line === '') throw new AgentError('INVALID_INPUT', 'the passphrase is empty');
  return line ?? null;
}

async function readSecretFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AgentError('INVALID_INPUT', `${path} cannot be read`, { cause });
  }
}

/** The machine-readable lines of a kit: `id-key: …`, `public-key: …`, `private-key: …`, 32 bytes of base64 each; all else is for people. */
export function parseRecoveryKit(text: string): { idKey: Buffer; publicKey: Buffer | null; privateKey: Buffer | null } {
  const idKey = kitKey(text, 'id-key');
  if (idKey === null) throw new AgentError('INVALID_INPUT', 'this is not a recovery kit: it has no line "id-key:"');
  return { idKey, publicKey: kitKey(text, 'public-key'), privateKey: kitKey(text, 'private-key') };
}

function kitKey(text: string, name: string): Buffer | null {
  const match = new RegExp(`^\\s*${name}:\\s*([A-Za-z0-9+/=]+)\\s*$`, 'm').exec(text);
  if (!match?.[1]) return null;
  const key = Buffer.from(match[1], 'base64');
  if (key.length !== 32)
    throw new AgentError('INVALID_INPUT', `the recovery kit is damaged: its ${name} has ${key.length} bytes, not 32`);
  return key;
}
