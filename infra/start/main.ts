/**
 * `npm start`: database, vault service, server, console and this PC's agent as separate processes, started in the order they
 * need each other and stopped in the reverse. Prints one address to open.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPorts, lockDataFolder, prepareDataFolder } from './checks.ts';
import { type Child, startChild, tailOf, waitHealthy } from './children.ts';
import { startPostgres } from './postgres.ts';
import { loadSecrets, type Secrets } from './secrets.ts';
import { readSettings, type Settings, StartError } from './settings.ts';

const say = (text: string) => process.stderr.write(`${text}\n`);

interface Running {
  readonly stops: { name: string; stop: () => Promise<void> }[];
}

async function start(settings: Settings, running: Running): Promise<string> {
  prepareDataFolder(settings);
  const unlock = lockDataFolder(settings);
  running.stops.push({ name: 'lock', stop: async () => unlock() });
  await checkPorts(settings);
  const secrets = loadSecrets(settings);
  const database = await startDatabase(settings, running);
  const launch = launcher(settings, running);
  launch('vault', 'apps/vault-service/dist/main.js', vaultEnvironment(settings, secrets));
  launch('server', 'apps/server/dist/main.js', { ...serverEnvironment(settings, secrets), ...database });
  launch('console', 'apps/console/.next/standalone/apps/console/server.js', consoleEnvironment(settings, secrets));
  await healthy(settings, 'vault', `http://${loopback(settings)}:${settings.vaultPort}/healthz`);
  const health = await healthy(settings, 'server', `http://${loopback(settings)}:${settings.serverPort}/healthz`);
  await healthy(settings, 'console', `http://${loopback(settings)}:${settings.consolePort}/sign-in`);
  if (settings.withAgent) startAgent(settings, secrets, launch);
  const needsOwner = typeof health === 'object' && health !== null && 'needsOwner' in health && health.needsOwner === true;
  return `http://localhost:${settings.consolePort}/${needsOwner ? `setup#token=${secrets.setupToken}` : ''}`;
}

async function startDatabase(settings: Settings, running: Running): Promise<Record<string, string>> {
  if (settings.databaseUrl) return { DATABASE_URL: settings.databaseUrl };
  const startedAt = Date.now();
  const postgres = await startPostgres({
    dataFolder: join(settings.dataFolder, 'postgres'),
    log: (line) => appendFileSync(logOf(settings, 'database'), `${line}\n`),
  });
  running.stops.push({ name: 'database', stop: () => postgres.stop() });
  say(`▸ database    ready in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  return { PGHOST: postgres.host, PGUSER: postgres.user, PGPASSWORD: postgres.password, PGDATABASE: postgres.database };
}

type Launch = (name: string, script: string, env: Record<string, string>, args?: string[]) => Child;

function launcher(settings: Settings, running: Running): Launch {
  return (name, script, env, args = []) => {
    const path = join(settings.root, script);
    if (!existsSync(path))
      throw new StartError('NOT_BUILT', `${script} is missing: the build is not complete. Run \`npm run setup\`.`);
    const logFile = logOf(settings, name);
    const onCrash = (who: string, how: string, pauseMs: number) =>
      say(`! ${who} ended (${how}); starting it again in ${pauseMs / 1000} s. Its log: ${logFile}`);
    const child = startChild({ name, script: path, args, env, cwd: settings.root, logFile, onCrash });
    running.stops.push({ name, stop: () => child.stop() });
    return child;
  };
}

function logOf(settings: Settings, name: string): string {
  return join(settings.dataFolder, 'logs', `${name}.log`);
}

function loopback(settings: Settings): string {
  return settings.host === '0.0.0.0' || settings.host === '::' ? '127.0.0.1' : settings.host;
}

function vaultEnvironment(settings: Settings, secrets: Secrets): Record<string, string> {
  return {
    DISKFLEET_HOST: settings.host,
    DISKFLEET_VAULT_PORT: String(settings.vaultPort),
    DISKFLEET_VAULT_DATA: join(settings.dataFolder, 'vault-service'),
    DISKFLEET_SERVER_PUBLIC_KEY: secrets.serverPublicKey,
  };
}

function serverEnvironment(settings: Settings, secrets: Secrets): Record<string, string> {
  const publicHost = process.env.DISKFLEET_PUBLIC_HOST || loopback(settings);
  return {
    DISKFLEET_HOST: settings.host,
    DISKFLEET_DATA: settings.dataFolder,
    DISKFLEET_SERVER_PORT: String(settings.serverPort),
    DISKFLEET_MASTER_KEY_FILE: secrets.masterKeyFile,
    DISKFLEET_SERVER_IDENTITY_FILE: secrets.serverIdentityFile,
    DISKFLEET_BRIDGE_KEY_FILE: secrets.bridgeKeyFile,
    DISKFLEET_VAULT_URL: `http://${loopback(settings)}:${settings.vaultPort}`,
    DISKFLEET_VAULT_PUBLIC_URL: `http://${publicHost}:${settings.vaultPort}`,
    DISKFLEET_PUBLIC_URL: `http://${publicHost}:${settings.serverPort}`,
    DISKFLEET_CONSOLE_URL: `http://localhost:${settings.consolePort}`,
    DISKFLEET_SETUP_TOKEN: secrets.setupToken,
    DISKFLEET_LOCAL_ENROL_TOKEN: secrets.localEnrolToken,
  };
}

function consoleEnvironment(settings: Settings, secrets: Secrets): Record<string, string> {
  return {
    NODE_ENV: 'production',
    PORT: String(settings.consolePort),
    HOSTNAME: settings.host,
    AUTH_TRUST_HOST: '1',
    DISKFLEET_SERVER_URL: `http://${loopback(settings)}:${settings.serverPort}`,
    DISKFLEET_BRIDGE_KEY_FILE: secrets.bridgeKeyFile,
    NEXTAUTH_SECRET_FILE: secrets.nextAuthSecretFile,
    // The default vault folder the setup page suggests.
    DISKFLEET_SUGGESTED_VAULT_FOLDER: join(settings.dataFolder, 'vault'),
  };
}

async function healthy(settings: Settings, name: string, url: string): Promise<unknown> {
  const startedAt = Date.now();
  const body = await waitHealthy(url, 60_000);
  if (body === null)
    throw new StartError(
      'NOT_READY',
      `The ${name} did not come up within a minute. The end of its log (${logOf(settings, name)}):\n${tailOf(logOf(settings, name))}`,
    );
  say(`▸ ${name.padEnd(11)} ready in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  return body;
}

/** The agent enrols itself with a token of its own and then waits for a person to approve it. */
function startAgent(settings: Settings, secrets: Secrets, launch: Launch): void {
  const folder = join(settings.dataFolder, 'agent');
  const env = {
    DISKFLEET_AGENT_DATA: folder,
    DISKFLEET_ENROL_URL: `http://${loopback(settings)}:${settings.serverPort}`,
    DISKFLEET_ENROL_TOKEN: secrets.localEnrolToken,
    DISKFLEET_DISK_FILES: join(settings.dataFolder, 'disks'),
  };
  launch('agent', 'agent/dist/diskfleet.js', env, ['run']);
  say('▸ agent       started; it waits for your approval in the console');
}

async function stopAll(running: Running): Promise<void> {
  for (const entry of running.stops.splice(0).reverse()) await entry.stop();
}

async function main(): Promise<void> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const running: Running = { stops: [] };
  let ending: Promise<void> | null = null;
  const end = (exitCode: number) => {
    ending ??= stopAll(running).then(() => process.exit(exitCode));
    return ending;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (!ending) say('\nStopping…');
      void end(0);
    });
  }
  try {
    const address = await start(readSettings(process.env, root), running);
    say(`\n  Diskfleet is running. Open\n\n    ${address}\n\n  Ctrl-C stops it; everything is kept.\n`);
  } catch (error) {
    say(
      `\n${error instanceof StartError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    await end(1);
  }
}

await main();
