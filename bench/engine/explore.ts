/** How long the first look into an image takes: the vault is open, nothing of the image was read yet; and the same look again. */
import { explore } from '@diskfleet/engine';
import { openVault } from '@diskfleet/vault';
import { median } from '../measure.ts';

const ROUNDS = 5;

export async function measureExplore(path: string, passphrase: string): Promise<void> {
  const vault = await openVault({ kind: 'directory', path }, { kind: 'passphrase', passphrase });
  const { points } = await vault.listPoints();
  const id = points.at(-1)?.id ?? '';
  const times: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    const note = async (what: string, work: () => Promise<unknown>) => {
      const startedAt = performance.now();
      await work();
      times[what] = [...(times[what] ?? []), performance.now() - startedAt];
    };
    const fresh = await openVault({ kind: 'directory', path }, { kind: 'passphrase', passphrase });
    const point = await fresh.openPoint(id);
    const disk = await point.openDisk(0);
    let explorer: Awaited<ReturnType<typeof explore>> | undefined;
    const list = async (folder: string) => {
      explorer ??= await explore(disk);
      for await (const entry of explorer.list(folder)) if (entry.name === '') throw new Error('a file without a name');
    };
    await note('first listing, /2 (ext4)', () => list('/2'));
    await note('again, /2', () => list('/2'));
    await note('first listing, /3 (NTFS)', () => list('/3'));
    await note('again, /3', () => list('/3'));
    await disk.close();
    await fresh.close();
  }
  await vault.close();
  const lines = Object.entries(times).map(
    ([what, all]) => `| ${what} | ${median(all).toFixed(1)} | ${Math.min(...all).toFixed(1)} |`,
  );
  process.stdout.write(`\n| explore | median ms | best ms |\n|---|---|---|\n${lines.join('\n')}\n`);
}
