import { type ExploreEntry, type Explorer, explore as openExplorer } from '@diskfleet/engine';
import type { Vault } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { formatBytes, formatTable } from '../words.ts';
import type { Args, Cli, Command, CommandResult } from './command.ts';
import { getFiles } from './getFiles.ts';
import { noMore, required } from './parse.ts';
import { diskIndexOf } from './restore.ts';
import { selectPoint } from './selectPoint.ts';
import { openVaultFor, pointVault, vaultOptions, withVault } from './vaultAccess.ts';

export const exploreCommand: Command = {
  name: 'explore',
  group: 'Restore',
  summary: 'List and read the files inside a restore point; nothing is mounted.',
  usage: '<point> ls|stat|cat|get <path>',
  details: `A path starts with the partition number: "ls /" lists the partitions, "ls /2/home" a folder. "cat" writes a file to stdout,
"cat /2/setup.exe:Zone.Identifier" one of its NTFS streams (ls lists them below their file; get leaves them out).
"get <path> [destination]" saves a file or folder (default: into the current folder). Existing files are kept unless --overwrite
says otherwise; symbolic links are never followed.`,
  options: {
    ...vaultOptions,
    disk: { type: 'string', value: 'N', help: 'Which disk of the point, counted from 0; default 0.' },
    overwrite: { type: 'string', value: 'RULE', help: 'For get: never, ifNewer, always or keepBoth; default never.' },
    symlinks: { type: 'boolean', help: 'For get: make symbolic links again, as links.' },
  },
  examples: [
    'diskfleet explore latest ls / --vault vault',
    'diskfleet explore latest cat /2/etc/fstab --vault vault',
    'diskfleet explore latest get /2/home/ada ./ada --vault vault',
  ],
  async run(cli, args) {
    const [selector, verb, path = '/', destination = '.'] = args.positionals;
    noMore(args.positionals, verb === 'get' ? 4 : 3);
    const point = required(selector, 'The restore point');
    const act = verbs[required(verb, 'What to do (ls, stat, cat or get)')];
    if (act === undefined) throw new AgentError('USAGE', `"${verb}" is not one of ls, stat, cat, get`);
    if (verb === 'cat' && cli.json) throw new AgentError('USAGE', 'cat writes the bytes of the file: use it without --json');
    return withVault(await openVaultFor(cli, args, 'full', pointVault(cli, args, point)), async (vault) => {
      const pointId = selectPoint(await vault.listPoints(), point).id;
      const where = { vault, pointId, diskIndex: diskIndexOf(args), path, destination };
      return act(cli, args, where);
    });
  },
};

interface Where {
  readonly vault: Vault;
  readonly pointId: string;
  readonly diskIndex: number;
  readonly path: string;
  readonly destination: string;
}

const verbs: Record<string, (cli: Cli, args: Args, where: Where) => Promise<CommandResult>> = {
  ls: (_cli, _args, where) => withExplorer(where, (explorer) => list(explorer, where.path)),
  stat: (_cli, _args, where) => withExplorer(where, (explorer) => stat(explorer, where.path)),
  cat: (cli, _args, where) => withExplorer(where, (explorer) => cat(cli, explorer, where.path)),
  get: (cli, args, where) => getFiles(cli, args, { ...where, paths: [where.path], to: where.destination }),
};

/** Opens the saved disk and closes it whatever happens. */
async function withExplorer<T>({ vault, pointId, diskIndex }: Where, work: (explorer: Explorer) => Promise<T>): Promise<T> {
  const disk = await (await vault.openPoint(pointId)).openDisk(diskIndex);
  try {
    return await work(await openExplorer(disk));
  } finally {
    await disk.close();
  }
}

async function list(explorer: Explorer, path: string): Promise<CommandResult> {
  const entries: ExploreEntry[] = [];
  for await (const entry of explorer.list(path)) entries.push(entry);
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { json: entries.map(documentOf), text: tableOf(entries) };
}

async function stat(explorer: Explorer, path: string): Promise<CommandResult> {
  const entry = await explorer.stat(path);
  return { json: documentOf(entry), text: tableOf([entry]) };
}

async function cat(cli: Cli, explorer: Explorer, path: string): Promise<CommandResult> {
  const file = await explorer.open(path);
  for await (const chunk of file.stream()) {
    if (cli.signal.aborted) throw new AgentError('CANCELLED', '');
    await cli.stdout.write(chunk);
  }
  return { json: null, text: '' };
}

function documentOf({ name, type, sizeBytes, modifiedAtMs, mode, linkTarget, partition, streams = [] }: ExploreEntry) {
  const modifiedAt = modifiedAtMs === null ? null : new Date(modifiedAtMs).toISOString();
  return { name, type, sizeBytes, modifiedAt, mode, linkTarget, partition, streams };
}

function tableOf(entries: readonly ExploreEntry[]): string {
  if (entries.length === 0) return 'The folder is empty.';
  const rows = entries.flatMap((entry) => [rowOf(entry), ...rowsOfStreams(entry)]);
  return formatTable(['TYPE', 'SIZE', 'MODIFIED (UTC)', 'NAME'], rows);
}

function rowOf(entry: ExploreEntry): string[] {
  return [
    entry.partition === null ? entry.type : 'partition',
    formatBytes(entry.partition?.sizeBytes ?? entry.sizeBytes),
    entry.modifiedAtMs === null ? '' : new Date(entry.modifiedAtMs).toISOString().replace('T', ' ').slice(0, 19),
    entry.linkTarget === null ? describe(entry) : `${entry.name} -> ${entry.linkTarget}`,
  ];
}

/** Named as `cat` wants them. */
function rowsOfStreams({ name, streams = [] }: ExploreEntry): string[][] {
  return streams.map((stream) => ['stream', formatBytes(stream.sizeBytes), '', `${name}:${stream.name}`]);
}

function describe({ name, partition, listable }: ExploreEntry): string {
  if (partition === null) return name;
  const { filesystem } = partition;
  const holds = [filesystem?.kind ?? '', filesystem?.label || partition.name, listable ? '' : '(cannot be browsed)'];
  return `${name}  ${holds.filter((word) => word !== '').join(' ')}`.trimEnd();
}
