/** The agent's folder and what the owner of this PC has decided locally; the server can read these switches, never set them. */
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { writeFileDurably } from '../agent/durableFile.ts';
import { AgentError, codeOf } from '../errors.ts';

const settingsShape = z.object({
  /** Disk writes commanded from the console are allowed on this PC. */
  allowRemoteDiskWrites: z.boolean().default(true),
  /** The console may put files back into folders of the system; off, because what lies there is run. */
  allowRestoreToSystemFolders: z.boolean().default(false),
  /** Folder whose disk files are offered as disks and where restores may create new ones; null = none. */
  diskFilesFolder: z.string().min(1).nullable().optional(),
  /** Further files offered as disks, by absolute path. */
  diskFiles: z.array(z.string().startsWith('/')).max(200).default([]),
  /** How long a job goes on asking a vault that does not answer before it ends as VAULT_UNREACHABLE; default 2 minutes. */
  vaultPatienceSeconds: z.number().min(1).max(86_400).optional(),
});

export interface Settings {
  readonly allowRemoteDiskWrites: boolean;
  readonly allowRestoreToSystemFolders: boolean;
  /** A real path, or null. */
  readonly diskFilesFolder: string | null;
  readonly diskFiles: readonly string[];
  readonly vaultPatienceSeconds?: number | undefined;
}

/** `--data`, else `DISKFLEET_AGENT_DATA`, else the system's place for it (root) or the user's. */
export function agentFolder(env: NodeJS.ProcessEnv, chosen?: string): string {
  if (chosen) return chosen;
  if (env.DISKFLEET_AGENT_DATA) return env.DISKFLEET_AGENT_DATA;
  if (process.getuid?.() === 0) return '/var/lib/diskfleet/agent';
  return join(env.XDG_DATA_HOME ?? join(homedir(), '.local/share'), 'diskfleet/agent');
}

/**
 * Reads `settings.json`; what it does not say has its default (disk files: `DISKFLEET_DISK_FILES`, else `disks` in the folder). Makes the disk-files folder when `create` is set.
 * @throws AgentError `INVALID_INPUT` for a file that is not valid: guessing could allow what its owner forbade.
 */
export async function readSettings(
  folder: string,
  options: { create?: boolean; env?: NodeJS.ProcessEnv } = {},
): Promise<Settings> {
  const file = join(folder, 'settings.json');
  const parsed = settingsShape.safeParse(await readJson(file));
  if (!parsed.success) throw new AgentError('INVALID_INPUT', `${file} is not valid: ${z.prettifyError(parsed.error)}`);
  const { diskFilesFolder: named, ...rest } = parsed.data;
  const chosen = named === undefined ? options.env?.DISKFLEET_DISK_FILES || join(folder, 'disks') : named;
  if (chosen !== null && options.create === true) await mkdir(chosen, { recursive: true, mode: 0o700 });
  const diskFilesFolder = chosen === null ? null : await realpath(chosen).catch(() => null);
  return { ...rest, diskFilesFolder };
}

/** Sets the local switch and keeps everything else in the file. */
export async function setRemoteWrites(folder: string, allow: boolean): Promise<void> {
  const file = join(folder, 'settings.json');
  const now = z.record(z.string(), z.unknown()).parse(await readJson(file));
  await writeFileDurably(file, `${JSON.stringify({ ...now, allowRemoteDiskWrites: allow }, null, 2)}\n`, 0o600);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return {};
    throw new AgentError('INVALID_INPUT', `${file} cannot be read as JSON`, { cause: error });
  }
}
