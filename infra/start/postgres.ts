/**
 * A PostgreSQL of our own, for those who have none: npm-shipped binaries, a unix socket only, a scram password, fsync on.
 * It survives `kill -9` of itself and of the process that started it: a leftover of an earlier run is shut down first.
 * When we are root the data moves below /var/lib/diskfleet if the database's account could not reach it otherwise.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, canEnter, databaseAccount, ownFolder, runnableBinaries } from './postgresBinaries.ts';

export interface PostgresOptions {
  /** Absolute. The database lies in `<dataFolder>/database`, or below /var/lib/diskfleet when that is closed to its account. */
  readonly dataFolder: string;
  /** What PostgreSQL says, line by line, and what this launcher did. */
  readonly log: (line: string) => void;
  /** For tests only: do not wait for the disk. */
  readonly unsafeNoSync?: boolean;
}

export interface RunningPostgres {
  /** The socket folder, as PGHOST takes it. */
  readonly host: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly pid: number;
  /** Resolves when the database ended, asked or not. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stop(): Promise<void>;
}

const USER = 'diskfleet';
const DATABASE = 'diskfleet';
const LONGEST_SOCKET_PATH = 107;
const START_TIMEOUT_MS = 60_000;

/** @throws Error with a sentence for people: not installed, folder in use by another run, or what PostgreSQL said. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const account = databaseAccount();
  const place = choosePlace(options.dataFolder, account);
  const binaries = runnableBinaries(place, account);
  const cluster = path.join(place, 'data');
  await endLeftover(place, cluster, options.log);
  claim(place);
  const password = readPassword(place);
  if (!existsSync(path.join(cluster, 'PG_VERSION'))) {
    await makeCluster({ cluster, binaries, account, password, sync: !options.unsafeNoSync });
  }
  const socketFolder = chooseSocketFolder(place, account);
  const child = launch({ cluster, binaries, account, socketFolder, options });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  await waitUntilReady(child, cluster);
  return {
    host: socketFolder,
    user: USER,
    password,
    database: DATABASE,
    pid: child.pid ?? 0,
    exited,
    stop: () => stop(child, exited, place),
  };
}

function choosePlace(dataFolder: string, account: Account | null): string {
  const wanted = path.join(dataFolder, 'database');
  const place = canEnter(dataFolder, account)
    ? wanted
    : path.join('/var/lib/diskfleet', createHash('sha256').update(dataFolder).digest('hex').slice(0, 12));
  mkdirSync(place, { recursive: true });
  if (account) chmodSync(place, 0o711);
  return place;
}

function chooseSocketFolder(place: string, account: Account | null): string {
  const near = path.join(place, 'run');
  const fits = path.join(near, '.s.PGSQL.5432.lock').length <= LONGEST_SOCKET_PATH;
  const folder = fits ? near : mkdtempSync(path.join(os.tmpdir(), 'diskfleet-'));
  ownFolder(folder, 0o711, account);
  return folder;
}

function readPassword(place: string): string {
  const file = path.join(place, 'password');
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('base64url'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

interface MakeCluster {
  readonly cluster: string;
  readonly binaries: string;
  readonly account: Account | null;
  readonly password: string;
  readonly sync: boolean;
}

/** Made under another name and renamed when complete, so that a run that was cut short leaves nothing half-made in use. */
async function makeCluster({ cluster, binaries, account, password, sync }: MakeCluster): Promise<void> {
  const fresh = `${cluster}.new`;
  const secret = `${cluster}.secret`;
  rmSync(fresh, { recursive: true, force: true });
  rmSync(secret, { recursive: true, force: true });
  ownFolder(fresh, 0o700, account);
  ownFolder(secret, 0o700, account);
  const passwordFile = path.join(secret, 'password');
  // Shut to others until its owner is set: the folder above is the account's alone.
  writeFileSync(passwordFile, password, { mode: account ? 0o644 : 0o600 });
  const flags = ['-U', USER, '-A', 'scram-sha-256', '-E', 'UTF8', '--locale-provider=builtin', '--locale=C.UTF-8'];
  if (!sync) flags.push('--no-sync');
  await runOnce(path.join(binaries, 'bin', 'initdb'), ['-D', fresh, `--pwfile=${passwordFile}`, ...flags], account);
  const single = ['--single', '-D', fresh, '-c', 'fsync=off', 'postgres'];
  await runOnce(path.join(binaries, 'bin', 'postgres'), single, account, `create database ${DATABASE}\n`);
  rmSync(secret, { recursive: true, force: true });
  renameSync(fresh, cluster);
}

function runOnce(program: string, args: readonly string[], account: Account | null, input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...identity(account), cwd: '/', stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve();
      reject(new Error(`${path.basename(program)} failed (exit code ${code}): ${output.trim().slice(-2000)}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

interface Launch {
  readonly cluster: string;
  readonly binaries: string;
  readonly account: Account | null;
  readonly socketFolder: string;
  readonly options: PostgresOptions;
}

function launch({ cluster, binaries, account, socketFolder, options }: Launch): ChildProcess {
  const settings = ['listen_addresses=', `unix_socket_directories=${socketFolder}`, 'max_connections=60', 'shared_buffers=64MB'];
  if (options.unsafeNoSync) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off');
  const args = ['-D', cluster, ...settings.flatMap((setting) => ['-c', setting])];
  // A session of its own: Ctrl-C in the terminal must reach the start script, which then stops the database last.
  const child = spawn(path.join(binaries, 'bin', 'postgres'), args, {
    ...identity(account),
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) options.log(line);
  });
  return child;
}

function identity(account: Account | null) {
  const env = { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', TZ: 'UTC' };
  return account ? { uid: account.uid, gid: account.gid, env } : { env };
}

/** The eighth line of postmaster.pid says `ready` once connections are taken. */
async function waitUntilReady(child: ChildProcess, cluster: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      throw new Error('The database ended while starting; its own words are in the log.');
    }
    const lines = readPidFile(cluster);
    if (Number(lines[0]) === child.pid && lines[7]?.startsWith('ready')) return;
    await sleep(20);
  }
  child.kill('SIGQUIT');
  throw new Error(`The database was not ready after ${START_TIMEOUT_MS / 1000} s.`);
}

async function stop(child: ChildProcess, exited: Promise<unknown>, place: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGINT');
    const late = new AbortController();
    void sleep(10_000, undefined, { signal: late.signal }).then(
      () => child.kill('SIGQUIT'),
      () => {},
    );
    await exited;
    late.abort();
  }
  rmSync(path.join(place, 'owner'), { force: true });
}

/** Names the process that runs this database: its pid and, since pids return, the moment it started. */
function claim(place: string): void {
  writeFileSync(path.join(place, 'owner'), `${process.pid} ${startOf(process.pid)}\n`);
}

/** A database left behind by a start that was killed is shut down; one whose starter still lives is left alone. */
async function endLeftover(place: string, cluster: string, log: (line: string) => void): Promise<void> {
  const pid = Number(readPidFile(cluster)[0]);
  if (!pid) return;
  if (!commandLine(pid).includes(cluster)) {
    log(`removed a stale postmaster.pid (process ${pid} is gone)`);
    rmSync(path.join(cluster, 'postmaster.pid'), { force: true });
    return;
  }
  const [owner, start] = readText(path.join(place, 'owner')).trim().split(' ');
  if (Number(owner) !== process.pid && start && startOf(Number(owner)) === start) {
    throw new Error(`The database in ${place} is in use by another running Diskfleet (process ${owner}). Stop that one first.`);
  }
  log(`shutting down a database left behind by an earlier run (process ${pid})`);
  process.kill(pid, 'SIGINT');
  for (let waited = 0; commandLine(pid).includes(cluster); waited += 50) {
    if (waited === 10_000) process.kill(pid, 'SIGQUIT');
    if (waited > 20_000) throw new Error(`A database left behind by an earlier run (process ${pid}) does not end.`);
    await sleep(50);
  }
}

function readPidFile(cluster: string): string[] {
  return readText(path.join(cluster, 'postmaster.pid')).split('\n');
}

function commandLine(pid: number): string {
  return readText(`/proc/${pid}/cmdline`);
}

/** Field 22 of /proc/<pid>/stat: start time in ticks since boot; empty when there is no such process. */
function startOf(pid: number): string {
  return readText(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')[19] ?? '';
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
