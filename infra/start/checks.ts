/** What can be known to go wrong before anything is started, said in words. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Settings, StartError } from './settings.ts';

const NEEDED_FREE_BYTES = 300e6;

export function prepareDataFolder(settings: Settings): void {
  try {
    mkdirSync(settings.dataFolder, { recursive: true, mode: 0o711 });
    for (const name of ['logs', 'disks', 'vault-service', 'agent'])
      mkdirSync(join(settings.dataFolder, name), { recursive: true });
    mkdirSync(join(settings.dataFolder, 'secrets'), { recursive: true, mode: 0o700 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(
      'DATA_FOLDER',
      `The data folder ${settings.dataFolder} cannot be made: ${reason}\nSet DISKFLEET_DATA to a folder you may write.`,
    );
  }
  const room = statfsSync(settings.dataFolder);
  const freeBytes = room.bavail * room.bsize;
  if (freeBytes < NEEDED_FREE_BYTES) {
    throw new StartError(
      'DISK_FULL',
      `Only ${(freeBytes / 1e6).toFixed(0)} MB are free where ${settings.dataFolder} lies; ${NEEDED_FREE_BYTES / 1e6} MB are needed to start.\nFree some space, or set DISKFLEET_DATA to a folder on another disk. Nothing was changed.`,
    );
  }
}

/** Takes the data folder for this process; a lock left by a process that is gone is taken over. */
export function lockDataFolder(settings: Settings): () => void {
  const path = join(settings.dataFolder, 'start.lock');
  for (let tries = 0; tries < 2; tries++) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, String(process.pid));
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch {
      const pid = Number(readFileSync(path, 'utf8'));
      if (pid > 0 && pid !== process.pid && isDiskfleet(pid)) {
        throw new StartError(
          'ALREADY_RUNNING',
          `Diskfleet is running already on ${settings.dataFolder} (process ${pid}).\nOpen its page, or stop it first.`,
        );
      }
      rmSync(path, { force: true });
    }
  }
  throw new StartError('ALREADY_RUNNING', `Another start of Diskfleet on ${settings.dataFolder} is under way.`);
}

function isDiskfleet(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('infra');
  } catch {
    return true;
  }
}

export async function checkPorts(settings: Settings): Promise<void> {
  const wanted = [
    ['The console', settings.consolePort, 'DISKFLEET_CONSOLE_PORT'],
    ['The server', settings.serverPort, 'DISKFLEET_SERVER_PORT'],
    ['The vault service', settings.vaultPort, 'DISKFLEET_VAULT_PORT'],
  ] as const;
  for (const [who, port, variable] of wanted) {
    const problem = await portProblem(port, settings.host);
    if (problem) {
      throw new StartError(
        'PORT_TAKEN',
        `${who} cannot use port ${port} on ${settings.host}: ${problem}.\nStop what uses it, or choose another: ${variable}=${port + 100} npm start`,
      );
    }
  }
}

function portProblem(port: number, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const words: Record<string, string> = {
        EADDRINUSE: 'another program uses it',
        EACCES: 'this user may not open it',
        EADDRNOTAVAIL: 'this PC has no such address',
      };
      resolve(words[error.code ?? ''] ?? error.message);
    });
    probe.listen(port, host, () => probe.close(() => resolve(null)));
  });
}
