/**
 * A real S3 storage for tests: Ceph's RADOS gateway over a cluster of one monitor and one OSD in memory, in a folder of its own, on
 * loopback ports of its own. Debian's `radosgw`, `ceph-mon` and `ceph-osd`; needs no root. Starts in about five seconds.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { s3Client } from '../s3Client.ts';

const run = promisify(execFile);
const tools = ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph', 'ceph-authtool', 'monmaptool'];

/** Null when all tools are there, else why not. */
export const noRadosgw: string | null = tools.every((tool) => existsSync(`/usr/bin/${tool}`))
  ? null
  : `needs ${tools.join(', ')}`;

export interface Radosgw {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}

export async function startRadosgw(): Promise<Radosgw> {
  const folder = await mkdtemp(join(tmpdir(), 'diskfleet-rgw-'));
  const daemons: ChildProcess[] = [];
  const stop = async () => {
    for (const daemon of daemons.reverse()) await ended(daemon);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [v2 = 0, v1 = 0, http = 0] = await freePorts(3);
    const conf = await writeConfig(folder, { v2, v1, http });
    const base = ['-c', conf];
    const admin = (...args: string[]) => run('ceph', [...base, ...args], { timeout: 30_000 });
    const daemon = (tool: string, args: string[]) => daemons.push(spawn(tool, ['-f', ...base, ...args], { stdio: 'ignore' }));
    await run('ceph-mon', [
      ...base,
      '-i',
      'a',
      '--mkfs',
      '--monmap',
      join(folder, 'monmap'),
      '--keyring',
      join(folder, 'keyring'),
    ]);
    daemon('ceph-mon', ['-i', 'a']);
    const osd = randomUUID();
    await admin('osd', 'new', osd);
    await run('ceph-osd', [...base, '-i', '0', '--mkfs', '--osd-uuid', osd]);
    daemon('ceph-osd', ['-i', '0']);
    const credentials = { accessKeyId: 'diskfleettest', secretAccessKey: randomUUID() };
    await run(
      'radosgw-admin',
      [
        ...base,
        '-n',
        'client.admin',
        'user',
        'create',
        '--uid=test',
        '--display-name=test',
        `--access-key=${credentials.accessKeyId}`,
        `--secret-key=${credentials.secretAccessKey}`,
      ],
      { timeout: 60_000 },
    );
    daemon('radosgw', ['-n', 'client.admin']);
    const endpoint = `http://127.0.0.1:${http}`;
    await answering(endpoint);
    return { endpoint, credentials, stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

export async function makeBucket({ endpoint, credentials }: Radosgw, bucket: string): Promise<void> {
  const client = s3Client({ kind: 's3', bucket, prefix: '', region: 'us-east-1', endpoint, credentials });
  await client.ask({ method: 'PUT' });
  client.close();
}

async function writeConfig(folder: string, ports: { v2: number; v1: number; http: number }): Promise<string> {
  const addresses = `[v2:127.0.0.1:${ports.v2},v1:127.0.0.1:${ports.v1}]`;
  const id = randomUUID();
  for (const one of ['mon', 'osd', 'rgw', 'run']) await mkdir(join(folder, one));
  const keyring = join(folder, 'keyring');
  const conf = join(folder, 'ceph.conf');
  await writeFile(
    conf,
    `[global]
fsid = ${id}
mon host = ${addresses}
keyring = ${keyring}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = ${folder}/run
crash dir = ${folder}/run
admin socket = ${folder}/run/$name.$pid.asok
log file = ${folder}/run/$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 500
mon data avail crit = 1
[mon.a]
mon data = ${folder}/mon
[osd.0]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *
[client.admin]
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${ports.http}
rgw thread pool size = 16
`,
  );
  const key = (name: string, ...caps: string[]) =>
    run('ceph-authtool', [keyring, '--gen-key', '-n', name, ...caps.flatMap((cap) => ['--cap', ...cap.split('=')])]);
  await run('ceph-authtool', ['-C', keyring]);
  await key('mon.', 'mon=allow *');
  await key('client.admin', 'mon=allow *', 'osd=allow *');
  await key('osd.0', 'mon=allow profile osd', 'osd=allow *');
  await run('monmaptool', ['--create', '--addv', 'a', addresses, '--fsid', id, join(folder, 'monmap')]);
  return conf;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address !== null && typeof address === 'object') ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

async function answering(endpoint: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const up = await fetch(endpoint).then(
      (reply) => reply.ok,
      () => false,
    );
    if (up) return;
    await sleep(200);
  }
  throw new Error('the RADOS gateway did not answer within a minute');
}

async function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const gone = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGKILL');
  await gone;
}
