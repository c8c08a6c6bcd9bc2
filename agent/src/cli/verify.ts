import { VaultError, type VerifyReport } from '@diskfleet/vault';
import { formatBytes, plural } from '../words.ts';
import type { Args, Cli, Command, CommandResult } from './command.ts';
import { operationOf } from './operation.ts';
import { noMore } from './parse.ts';
import { selectPoint } from './selectPoint.ts';
import { openVaultFor, pointVault, vaultOptions, withVault } from './vaultAccess.ts';

export const verifyCommand: Command = {
  name: 'verify',
  group: 'Vault',
  summary: 'Check a vault, or one restore point of it, for damage.',
  usage: '[point] --vault FOLDER [--data | --content] [--repair]',
  details: `Without an option every reference is followed. --data reads and re-hashes every stored byte too (needs no key). --content also
decrypts every chunk and recomputes its id. --repair then rebuilds the index and puts damaged packs in quarantine: the next backups of the
same data store anew what they held. It deletes no data. Damage is named object by object with the points it hurts; the exit code is then 1.`,
  options: {
    ...vaultOptions,
    data: { type: 'boolean', help: 'Read and re-hash every stored byte.' },
    content: { type: 'boolean', help: 'Decrypt every chunk too; needs the key.' },
    repair: { type: 'boolean', help: 'Rebuild the index, and let backups heal damaged packs; needs the key.' },
  },
  examples: ['diskfleet verify --vault /mnt/backup/vault', 'diskfleet verify latest --data --vault vault'],
  async run(cli, args) {
    noMore(args.positionals, 1);
    const level = args.flag('content') ? 'content' : args.flag('data') ? 'data' : 'structure';
    const report = await verifyWithKeys(cli, args, level);
    const result = resultOf(report);
    if (!args.flag('repair') || report.damaged.length === 0) return result;
    const repaired = await withVault(await openVaultFor(cli, args, 'full', pointVault(cli, args, args.positionals[0])), (vault) =>
      vault.repair(report, cli.signal),
    );
    const { quarantined, rebuilt } = repaired;
    const lines = [
      `Put ${plural(quarantined.length, 'pack')} in quarantine and listed ${plural(rebuilt.listedPacks, 'pack')} anew.`,
      'Run a backup of each machine, then verify again.',
    ];
    return { ...result, json: { ...report, repaired }, text: [result.text, ...lines].join('\n') };
  },
};

type Level = 'structure' | 'data' | 'content';

/** Asks for a key only when the check cannot do without. */
async function verifyWithKeys(cli: Cli, args: Args, level: Level): Promise<VerifyReport> {
  try {
    return await verifyOnce(cli, args, { level, need: level === 'content' ? 'full' : 'list' });
  } catch (error) {
    if (level === 'content' || !(error instanceof VaultError) || error.code !== 'VAULT_KEY_NEEDED') throw error;
    return verifyOnce(cli, args, { level, need: 'full' });
  }
}

async function verifyOnce(cli: Cli, args: Args, { level, need }: { level: Level; need: 'list' | 'full' }): Promise<VerifyReport> {
  const selector = args.positionals[0];
  return withVault(await openVaultFor(cli, args, need, pointVault(cli, args, selector)), async (vault) => {
    const point = selector === undefined ? {} : { pointId: selectPoint(await vault.listPoints(), selector).id };
    const { op, end } = operationOf(cli);
    const none = { newBytes: 0, storedBytes: 0, skippedBytes: 0 };
    const onProgress = (doneBytes: number, totalBytes: number) =>
      op.onProgress?.({ phase: 'verify', doneBytes, totalBytes, ...none });
    return vault.verify({ level, ...point, onProgress, signal: cli.signal }).finally(end);
  });
}

function resultOf({ checkedBytes, checkedObjects, damaged }: VerifyReport): CommandResult {
  const document = { checkedBytes, checkedObjects, damaged };
  const head = `Checked ${checkedObjects} objects, ${formatBytes(checkedBytes)}`;
  if (damaged.length === 0) return { json: document, text: `${head}: no damage.` };
  const lines = damaged.map(
    ({ object, problem, points }) => `  ${object}: ${problem}${points.length === 0 ? '' : ` (hurts ${points.join(', ')})`}`,
  );
  const failure = { code: 'VAULT_DAMAGED', detail: `${damaged.length} damaged objects were found.`, retry: 'never' as const };
  return { json: document, text: `${head}: DAMAGE FOUND.\n${lines.join('\n')}`, failure };
}
