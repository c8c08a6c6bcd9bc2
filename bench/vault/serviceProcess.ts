/** A vault service as a process of its own, bundled as it is shipped, with a folder and a key pair of its own. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity, rawPrivateKey, signGrant } from '../../packages/protocol/src/index.ts';
import { root } from './setting.ts';

const hourMs = 3_600_000;
const ticksPerSecond = 100;

export interface RunningService {
  /** Registers an empty folder; the token is an admin's. */
  newVault(): Promise<{ address: string; token: string; remove(): void }>;
  /** User and system time so far. */
  cpuSeconds(): number;
  peakRssBytes(): number;
  stop(): Promise<void>;
}

export async function startService(folder: string, nodeOptions: readonly string[] = []): Promise<RunningService> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const pair = generateIdentity();
  const child = spawn(process.execPath, [...nodeOptions, join(root, 'apps/vault-service/dist/main.js')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      DISKFLEET_VAULT_PORT: '0',
      DISKFLEET_VAULT_DATA: join(folder, 'data'),
      DISKFLEET_SERVER_PUBLIC_KEY: pair.publicKey,
    },
  });
  const url = await new Promise<string>((ready, fail) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
      const port = /"port":(\d+)/.exec(said)?.[1];
      if (port !== undefined) ready(`http://127.0.0.1:${port}`);
    });
    child.once('exit', () => fail(new Error(`the vault service ended: ${said}`)));
  });
  const proc = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
  return {
    async newVault() {
      const vaultId = randomUUID();
      const expiresAt = new Date(Date.now() + 6 * hourMs).toISOString();
      const grant = { purpose: 'vault', vaultId, machineId: null, verbs: ['admin'], expiresAt } as const;
      const token = signGrant(rawPrivateKey(pair.privateKey), { ...grant, verbs: [...grant.verbs] });
      const path = join(folder, vaultId);
      const answer = await fetch(`${url}/v1/vaults`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({ vaultId, folder: path }),
      });
      if (!answer.ok) throw new Error(await answer.text());
      return { address: `${url}/v1/vaults/${vaultId}`, token, remove: () => rmSync(path, { recursive: true }) };
    },
    cpuSeconds() {
      const fields = proc('stat').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    },
    peakRssBytes: () => Number(/^VmHWM:\s+(\d+) kB/m.exec(proc('status'))?.[1]) * 1024,
    async stop() {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
