import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AgentError } from '../errors.ts';
import type { Command } from './command.ts';
import { copyInto, documentOf, textOf } from './copyPoint.ts';
import { noMore, required } from './parse.ts';
import { fileSecret, openFirst, openOther, portableFile } from './portable.ts';
import { selectPoint } from './selectPoint.ts';
import { namedVault, vaultOptions, withVault } from './vaultAccess.ts';

export const importCommand: Command = {
  name: 'import',
  group: 'Restore',
  summary: 'Put the restore point of a portable file into a vault.',
  usage: '<file.adi> --vault FOLDER',
  details: `Every chunk is checked on the way, and stored only if the vault has it not. The point keeps its id, unless the vault has such a
point already. The file is opened with the passphrase of the vault unless it has one of its own (--file-passphrase-file or
DISKFLEET_FILE_PASSPHRASE). Of a file in parts the first is named; the others lie beside it.`,
  options: {
    ...vaultOptions,
    'file-passphrase-file': { type: 'string', value: 'FILE', help: 'Open the portable file with the first line of FILE.' },
  },
  examples: ['diskfleet import /media/usb/office.adi --vault /mnt/backup/vault'],
  async run(cli, args) {
    const name = required(args.positionals[0], 'The file');
    noMore(args.positionals, 1);
    const place = portableFile(name);
    if (place?.kind !== 'file') throw new AgentError('USAGE', `"${name}" does not end in .adi or .afi`);
    const { vault, unlock } = await openFirst(cli, args, namedVault(cli, args));
    return withVault(vault, async (to) => {
      const file = await openOther(cli, args, { place, secret: fileSecret, first: unlock });
      return withVault(file.vault, async (from) => {
        const { id } = selectPoint(await from.listPoints(), 'latest');
        const copied = await copyInto(cli, { from, to, pointId: id });
        const files = await partsOf(place.path);
        const sizes = await Promise.all(files.map(async (path) => (await stat(path)).size));
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        return { json: { ...documentOf(copied), bytes, files }, text: textOf(copied, id) };
      });
    });
  },
};

/** The file that was opened, and its parts in order. */
async function partsOf(path: string): Promise<string[]> {
  const numbers = (await readdir(dirname(path))).flatMap((name) => {
    const rest = name.startsWith(`${basename(path)}.`) ? name.slice(basename(path).length + 1) : '';
    return /^\d{3,}$/.test(rest) ? [rest] : [];
  });
  numbers.sort((a, b) => Number(a) - Number(b));
  return [path, ...numbers.map((number) => join(dirname(path), `${basename(path)}.${number}`))];
}
