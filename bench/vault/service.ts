/**
 * What the vault service costs: the same backup into a folder and, over HTTP on loopback, into a service before such a folder; then eight
 * agents at once. Random data: every byte read is stored, so the way to the vault is all there is to see. Each run has a vault of its own.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { run } from '../../e2e/images/tools.ts';
import { type Cost, measure } from '../measure.ts';
import type { Figure } from './report.ts';
import { type RunningService, startService } from './serviceProcess.ts';
import { cli, place, secrets } from './setting.ts';

const agents = 8;
const mib = Number(process.env.DISKFLEET_VAULT_SERVICE_MIB ?? 512);

async function randomFile(name: string): Promise<string> {
  const path = place(`random-${name}-${mib}.img`);
  if (existsSync(path)) return path;
  mkdirSync(place(''), { recursive: true });
  await run('bash', ['-c', `head -c ${mib}M /dev/urandom > ${path}.part && mv ${path}.part ${path}`]);
  return path;
}

const backUp = (source: string, vault: string) => `${cli} backup disk ${source} --vault ${vault} --json > /dev/null`;

async function create(vault: string, env: Readonly<Record<string, string>>): Promise<void> {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  await run('env', [...settings, 'bash', '-c', `${cli} vault create ${vault} > /dev/null`]);
}

async function intoFolder(source: string): Promise<Cost> {
  const folder = place('service-direct');
  rmSync(folder, { recursive: true, force: true });
  await create(folder, secrets);
  const cost = await measure(backUp(source, folder), secrets);
  rmSync(folder, { recursive: true });
  return cost;
}

/** The cost of the agents; the service's own is added to the processor time and noted by its peak. */
async function throughService(sources: readonly string[], service: RunningService): Promise<Cost> {
  const vault = await service.newVault();
  const env = { ...secrets, DISKFLEET_VAULT_TOKEN: vault.token };
  await create(vault.address, env);
  const before = service.cpuSeconds();
  const together = sources.map((source) => `(${backUp(source, vault.address)}) & pids+=($!)`).join('\n');
  const cost = await measure(`pids=()\n${together}\nfor pid in "\${pids[@]}"; do wait "$pid" || exit 1; done`, env);
  const cpuSeconds = cost.cpuSeconds + service.cpuSeconds() - before;
  vault.remove();
  return { ...cost, cpuSeconds };
}

export async function measureService(passes: number): Promise<Figure[]> {
  const sources: string[] = [];
  for (let at = 0; at < agents; at += 1) sources.push(await randomFile(String(at)));
  const first = sources.slice(0, 1);
  const service = await startService(place('service'));
  const direct: Cost[] = [];
  const one: Cost[] = [];
  const eight: Cost[] = [];
  try {
    for (let pass = 0; pass < passes; pass += 1) {
      direct.push(await intoFolder(sources[0] ?? ''));
      one.push(await throughService(first, service));
      eight.push(await throughService(sources, service));
    }
    const peakMib = Math.round(service.peakRssBytes() / (1 << 20));
    const rates = (costs: readonly Cost[], count: number) =>
      costs.map(({ wallSeconds }) => Math.round((count * mib * 1.048576) / wallSeconds)).join(', ');
    const note = (costs: readonly Cost[], count: number) => `${rates(costs, count)} MB/s; service at most ${peakMib} MiB`;
    return [
      { operation: `back up ${mib} MiB`, tool: 'diskfleet, into a folder', costs: direct, note: `${rates(direct, 1)} MB/s` },
      { operation: `back up ${mib} MiB`, tool: 'diskfleet, through the service', costs: one, note: note(one, 1) },
      {
        operation: `${agents} back up ${mib} MiB each`,
        tool: 'agents at once, through the service',
        costs: eight,
        note: note(eight, agents),
      },
    ];
  } finally {
    await service.stop();
  }
}
