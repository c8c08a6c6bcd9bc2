import type { GcReport } from '@diskfleet/vault';
import { formatBytes, plural } from '../words.ts';
import type { Command } from './command.ts';
import { noMore } from './parse.ts';
import { openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

export const gcCommand: Command = {
  name: 'gc',
  group: 'Vault',
  summary: 'Give back the space of deleted restore points; backups may go on meanwhile.',
  usage: '--vault FOLDER',
  details: `Works in two steps at least a day apart: one run marks what nothing needs, a later one removes it, and marks anew. So run it daily.
A vault service keeps what was removed until its deletion delay is over: the room comes back then.
Nothing is removed while the vault is damaged: \`diskfleet verify --repair\` comes first.`,
  options: vaultOptions,
  examples: ['diskfleet gc --vault /mnt/backup/vault'],
  async run(cli, args) {
    noMore(args.positionals, 0);
    const report = await withVault(await openVaultFor(cli, args, 'full'), (vault) =>
      vault.collectGarbage({ signal: cli.signal }),
    );
    return { json: report, text: textOf(report) };
  },
};

const waits = {
  delay: 'What was marked less than a day ago is removed by a later run.',
  session: 'A backup that began before the mark is still running: what was marked is removed by a later run.',
  clock: 'The storage tells no times, so nothing can be removed safely.',
} as const;

function textOf({ swept, marked, waiting }: GcReport): string {
  const lines = [];
  if (swept !== null) lines.push(`Removed ${plural(swept.packs, 'pack')}.`);
  if (swept !== null && swept.locked > 0)
    lines.push(`The storage does not let go of ${plural(swept.locked, 'more pack')} yet (object lock); a later run tries again.`);
  if (marked !== null) {
    const copied = marked.copiedBytes === 0 ? '' : `, after copying ${formatBytes(marked.copiedBytes)} that is still in use`;
    lines.push(`Marked ${plural(marked.packs, 'pack')} with ${formatBytes(marked.bytes)}${copied}; a run tomorrow removes them.`);
  }
  if (waiting !== null) lines.push(waits[waiting]);
  return lines.length === 0 ? 'Nothing to give back.' : lines.join('\n');
}
