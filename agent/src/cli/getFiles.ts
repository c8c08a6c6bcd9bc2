import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { explore } from '@diskfleet/engine';
import type { Vault } from '@diskfleet/vault';
import { restoreFiles } from '../files/restoreFiles.ts';
import { formatBytes, formatSeconds, plural } from '../words.ts';
import type { Args, Cli, CommandResult } from './command.ts';
import { operationOf } from './operation.ts';
import { oneOf } from './parse.ts';

interface Wanted {
  readonly vault: Vault;
  readonly pointId: string;
  readonly diskIndex: number;
  readonly paths: readonly string[];
  readonly to: string;
}

/** Saves files and folders of an image to this PC by the same writer the agent uses. */
export async function getFiles(cli: Cli, args: Args, { vault, pointId, diskIndex, paths, to }: Wanted): Promise<CommandResult> {
  const overwrite = oneOf(args.text('overwrite'), ['never', 'ifNewer', 'always', 'keepBoth'], '--overwrite');
  const disk = await (await vault.openPoint(pointId)).openDisk(diskIndex);
  const { op, end } = operationOf(cli);
  try {
    const explorer = await explore(disk);
    const only = paths.length === 1 ? paths[0] : undefined;
    const isFile = only !== undefined && (await explorer.stat(only)).type === 'file';
    const place = await placeOf(to, isFile);
    const symlinks = args.flag('symlinks') ? ('all' as const) : ('none' as const);
    const limits = { maxTotalBytes: disk.sizeBytes * 16 + (1 << 30) };
    const result = await restoreFiles({ explorer, paths, ...place, overwrite, symlinks, ...limits }, op);
    const { files, writtenBytes, skipped, seconds, warnings } = result;
    const saved = place.name === null ? place.destination : `${place.destination}/${place.name}`;
    const text = `Saved ${plural(files, 'file')} (${formatBytes(writtenBytes)}) to ${saved} in ${formatSeconds(seconds)}.`;
    return { json: { files, writtenBytes, skipped, seconds, warnings, destination: place.destination }, text, warnings };
  } finally {
    await end();
    await disk.close();
  }
}

/** As `cp` does: into an existing folder; else a single file takes the given name. Links in the person's own path are followed once, here. */
async function placeOf(to: string, isFile: boolean): Promise<{ destination: string; name: string | null }> {
  const absolute = resolve(to);
  const isFolder = (await stat(absolute).catch(() => null))?.isDirectory() === true;
  if (isFolder) return { destination: await realpath(absolute), name: null };
  const folder = await realpath(dirname(absolute)).catch(() => dirname(absolute));
  return isFile
    ? { destination: folder, name: basename(absolute) }
    : { destination: `${folder}/${basename(absolute)}`, name: null };
}
