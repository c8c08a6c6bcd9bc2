import { copyPoint, type PointHeader, type Vault } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { formatBytes } from '../words.ts';
import type { Cli, Command } from './command.ts';
import { operationOf } from './operation.ts';
import { noMore, required } from './parse.ts';
import { openFirst, openOther, toSecret } from './portable.ts';
import { selectPoint } from './selectPoint.ts';
import { pointVault, vaultOptions, vaultPlace, withVault } from './vaultAccess.ts';

export const copyCommand: Command = {
  name: 'copy',
  group: 'Restore',
  summary: 'Copy a restore point into another vault.',
  usage: '<point> --vault FOLDER --to FOLDER',
  details: `Every chunk is checked on the way, and stored only if the other vault has it not. The copy keeps its id, unless the other vault has
such a point already. The other vault is opened with the same passphrase unless one is given for it (--to-passphrase-file or
DISKFLEET_TO_PASSPHRASE). A copy that was cut off goes on from where it was when it is started again.`,
  options: {
    ...vaultOptions,
    to: { type: 'string', value: 'FOLDER', help: 'The vault to copy into.' },
    'to-passphrase-file': { type: 'string', value: 'FILE', help: 'Open the other vault with the first line of FILE.' },
  },
  examples: ['diskfleet copy latest --vault /mnt/backup/vault --to /media/usb/vault'],
  async run(cli, args) {
    const selector = required(args.positionals[0], 'The restore point');
    noMore(args.positionals, 1);
    const place = vaultPlace(required(args.text('to'), 'The vault to copy into (--to)'), cli.env);
    const { vault, unlock } = await openFirst(cli, args, pointVault(cli, args, selector));
    return withVault(vault, async () => {
      const { id } = selectPoint(await vault.listPoints(), selector);
      const other = await openOther(cli, args, { place, secret: toSecret, first: unlock });
      return withVault(other.vault, async (to) => {
        const copied = await copyInto(cli, { from: vault, to, pointId: id });
        return { json: documentOf(copied), text: textOf(copied, id) };
      });
    });
  },
};

/** @throws AgentError `INVALID_INPUT` for a vault copied into itself */
export async function copyInto(
  cli: Cli,
  { from, to, pointId }: { from: Vault; to: Vault; pointId: string },
): Promise<PointHeader> {
  if (from.id === to.id) throw new AgentError('INVALID_INPUT', 'both are the same vault');
  const { op, end } = operationOf(cli);
  const none = { newBytes: 0, storedBytes: 0, skippedBytes: 0 };
  const onProgress = (doneBytes: number, totalBytes: number) =>
    op.onProgress?.({ phase: 'store', doneBytes, totalBytes, ...none });
  return copyPoint(from, to, { pointId, signal: cli.signal, onProgress }).finally(end);
}

export function documentOf({ id, newBytes, storedBytes }: PointHeader) {
  return { pointId: id, newBytes, storedBytes };
}

export function textOf({ id, newBytes, storedBytes }: PointHeader, original: string): string {
  const other = id === original ? '' : `, as ${id}, since that id is or was in use there`;
  return `Copied ${original}${other}: ${formatBytes(newBytes)} were new, ${formatBytes(storedBytes)} stored.`;
}
