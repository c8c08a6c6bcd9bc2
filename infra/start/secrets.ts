/** Secrets are made once, on the first start, each in a file only this user can read. Losing `master.key` loses managed vaults: it is in the backup advice. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity } from '@diskfleet/protocol';
import type { Settings } from './settings.ts';

export interface Secrets {
  readonly masterKeyFile: string;
  readonly serverIdentityFile: string;
  readonly serverPublicKey: string;
  readonly bridgeKeyFile: string;
  readonly nextAuthSecretFile: string;
  readonly setupToken: string;
  readonly localEnrolToken: string;
}

export function loadSecrets(settings: Settings): Secrets {
  const file = (name: string, make: () => string) => {
    const path = join(settings.dataFolder, 'secrets', name);
    if (!existsSync(path)) writeOnce(path, make());
    return path;
  };
  const token = () => randomBytes(24).toString('base64url');
  const key = () => randomBytes(32).toString('base64');
  const serverIdentityFile = file('server.json', () => JSON.stringify(generateIdentity()));
  return {
    masterKeyFile: file('master.key', key),
    serverIdentityFile,
    serverPublicKey: publicKeyOf(serverIdentityFile),
    bridgeKeyFile: file('bridge.key', key),
    nextAuthSecretFile: file('nextauth.key', key),
    setupToken: readFileSync(file('setup.token', token), 'utf8'),
    localEnrolToken: readFileSync(file('local-enrol.token', token), 'utf8'),
  };
}

function publicKeyOf(path: string): string {
  const identity: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof identity === 'object' && identity !== null && 'publicKey' in identity && typeof identity.publicKey === 'string')
    return identity.publicKey;
  throw new Error(`${path} does not hold a server identity`);
}

function writeOnce(path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
}
