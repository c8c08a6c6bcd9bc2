import { plural } from '../words.ts';
import type { Command } from './command.ts';
import { noMore } from './parse.ts';
import { openVaultFor, vaultOptions, withVault } from './vaultAccess.ts';

export const vaultRebuildCommand: Command = {
  name: 'vault rebuild',
  group: 'Vault',
  summary: 'Make the index of a vault anew from its packs.',
  usage: '--vault FOLDER',
  details: `For a vault whose index is lost or damaged. Reads the end of each pack the index does not list; only packs with a damaged end are read
whole. Removes damaged index segments, and nothing else.`,
  options: vaultOptions,
  examples: ['diskfleet vault rebuild --vault /mnt/backup/vault'],
  async run(cli, args) {
    noMore(args.positionals, 0);
    const report = await withVault(await openVaultFor(cli, args, 'full'), (vault) => vault.rebuildIndex(cli.signal));
    const { listedPacks, listedChunks, scannedPacks, lostPacks, removedSegments } = report;
    const lines = [`Listed ${plural(listedPacks, 'pack')} with ${plural(listedChunks, 'chunk')} anew.`];
    if (removedSegments.length > 0) lines.push(`Replaced ${plural(removedSegments.length, 'damaged index segment')}.`);
    if (scannedPacks.length > 0)
      lines.push(
        `${plural(scannedPacks.length, 'pack')} with a damaged end: found chunk by chunk, and stored anew by the next backups.`,
      );
    const warnings = lostPacks.map((name) => `nothing could be found in ${name}`);
    return { json: report, text: lines.join('\n'), warnings };
  },
};
