/** Commands run in this process, on vaults whose points hold 64 KiB each: for rules about points, not about their content. */
import { openChunkWriter, openVault, type StoreConfig } from '@diskfleet/vault';
import type { Cli } from '../cli/command.ts';
import { commands } from '../cli/commands.ts';
import { parseCommandLine } from '../cli/parse.ts';

const pointBytes = 65_536;
const silent = { isTTY: false, columns: 80, write: async () => {} };

function noPlatform(): never {
  throw new Error('these commands look at no disk');
}

/** Runs one command, not at a terminal. @throws what the command throws */
export async function runHere(argv: readonly string[], over: Pick<Cli, 'env' | 'now'>) {
  const { command, args } = parseCommandLine([...argv], commands);
  if (command === null) throw new Error(`no command ${argv.join(' ')}`);
  const { signal } = new AbortController();
  return command.run(
    { stdout: silent, stderr: silent, stdin: process.stdin, json: false, signal, platform: noPlatform, ...over },
    args,
  );
}

export interface SmallPoint {
  /** What all its bytes are: equal ones share them. */
  readonly fill: number;
  readonly at: Date;
  readonly method: 'full' | 'differential';
}

/** Stores a point of machine `m` in a vault without a key; gives back its id. */
export async function storeSmallPoint(config: StoreConfig, { fill, at, method }: SmallPoint): Promise<string> {
  const vault = await openVault(config, { kind: 'none' });
  const point = await vault.beginPoint({
    ...{ machineId: 'm', machineName: 'PC', source: 'disk', kind: 'disk', method, parentId: null },
    ...{ expectedChunks: 100, compression: 'none', now: () => at },
  });
  const writer = await openChunkWriter(point.seed);
  const id = Buffer.alloc(32);
  writer.add(Buffer.alloc(pointBytes, fill), id);
  const packs = await writer.finish();
  const place = { offsetBytes: 0, lengthBytes: pointBytes, chunkId: id, chunkOffsetBytes: 0 };
  const { mapRootId } = await point.writeMap([{ kind: 'data', ...place }], pointBytes);
  const disk = {
    ...{ name: 'sda', model: '', serial: '', sizeBytes: pointBytes, sectorBytes: 512, usedBytes: pointBytes },
    ...{ table: null, tableId: null, partitions: [], mapRootId },
  };
  const totals = { sizeBytes: pointBytes, usedBytes: pointBytes, newBytes: method === 'full' ? pointBytes : 1 };
  const header = await point.commit({ packs, disks: [disk], warnings: [], totals });
  await vault.close();
  return header.id;
}
