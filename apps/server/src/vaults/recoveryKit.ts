/**
 * The recovery kit: one page a person can read, with three lines a program can (`id-key:`, `public-key:`, `private-key:`; 32 raw
 * bytes of base64 each). With it and the vault's folder everything can be restored on any PC, with no server and none of its data.
 */
import type { VaultKeys } from '@diskfleet/vault';
import type { VaultRow } from './grants.ts';

interface Kit {
  readonly vault: Pick<VaultRow, 'id' | 'name' | 'folder'>;
  readonly keys: VaultKeys;
  readonly madeAt: Date;
}

export function recoveryKitText({ vault, keys, madeAt }: Kit): string {
  const lines = [line('id-key', keys.idKey), line('public-key', keys.publicKey), line('private-key', keys.privateKey)];
  return `DISKFLEET RECOVERY KIT

Vault:   ${vault.name}
Id:      ${vault.id}
Folder:  ${vault.folder}
Made:    ${madeAt.toISOString()}

Keep this file where a fire, a thief or ransomware that takes your servers does not take it too: printed in a safe, on a stick,
in a password manager. WHOEVER HAS IT AND THE VAULT'S FILES CAN READ EVERY BACKUP IN IT. Without it, and without the Diskfleet
server's own data folder, nobody can.

How to restore with nothing but this file and the vault's folder
1. Install Node.js and Diskfleet on any PC and make the vault's folder reachable (plug in its disk, mount its share).
2. See what is there:
     diskfleet points --vault ${quote(vault.folder)} --recovery-kit THIS-FILE
3. Take single files out of a restore point:
     diskfleet explore POINT ls / --vault ${quote(vault.folder)} --recovery-kit THIS-FILE
     diskfleet explore POINT get /2/home/ann --to ./rescued --vault ${quote(vault.folder)} --recovery-kit THIS-FILE
4. Or restore a whole disk. The first call shows the plan and its hash and writes nothing; the second one does it:
     diskfleet restore POINT --to /dev/sdX --plan-only --vault ${quote(vault.folder)} --recovery-kit THIS-FILE
     diskfleet restore POINT --to /dev/sdX --confirm PLAN-HASH --vault ${quote(vault.folder)} --recovery-kit THIS-FILE

Programs read this part; leave it as it is:

${lines.join('')}`;
}

function line(name: string, key: Uint8Array | null): string {
  return key ? `${name}: ${Buffer.from(key).toString('base64')}\n` : '';
}

function quote(folder: string): string {
  return /^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", `'\\''`)}'`;
}
