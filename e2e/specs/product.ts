/** Runs the product as `npm start` does, on free ports and a data folder of its own, and reads the address it prints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Product {
  readonly address: string;
  readonly folder: string;
  /** Disk files here are disks of this PC. */
  readonly disksFolder: string;
  /** All that was printed. */
  output(): string;
  /** Ctrl-C; resolves with the exit code. Keeps the data. */
  stop(): Promise<number | null>;
  /** Starts again on the same data and ports. */
  start(): Promise<string>;
  dispose(): Promise<void>;
}

export async function startProduct(prepare: (disksFolder: string) => Promise<void>): Promise<Product> {
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-product-'));
  const disksFolder = join(folder, 'disks');
  mkdirSync(disksFolder);
  await prepare(disksFolder);
  const ports = [await freePort(), await freePort(), await freePort()];
  const env = {
    ...process.env,
    DISKFLEET_DATA: folder,
    DISKFLEET_CONSOLE_PORT: String(ports[0]),
    DISKFLEET_SERVER_PORT: String(ports[1]),
    DISKFLEET_VAULT_PORT: String(ports[2]),
  };
  let child: ChildProcess | null = null;
  let output = '';
  const start = async () => {
    const started = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'infra/start/main.ts')], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    const from = output.length;
    return new Promise<string>((done, fail) => {
      const look = (piece: Buffer) => {
        output += piece.toString('utf8');
        const address = /^\s+(http:\/\/localhost:\d+\/\S*)$/m.exec(output.slice(from))?.[1];
        if (address) done(address);
      };
      started.stdout.on('data', look);
      started.stderr.on('data', look);
      started.once('exit', (code) => fail(new Error(`ended with ${code} before it was ready:\n${output}`)));
    });
  };
  const stop = () =>
    new Promise<number | null>((done) => {
      if (!child || child.exitCode !== null) return done(child?.exitCode ?? null);
      child.once('exit', done);
      child.kill('SIGINT');
    });
  const address = await start();
  return {
    address,
    folder,
    disksFolder,
    output: () => output,
    stop,
    start,
    async dispose() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      probe.close(() => (port ? done(port) : fail(new Error('no free port'))));
    });
  });
}
