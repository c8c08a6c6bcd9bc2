/**
 * PCs as they leave one hand with the same system on them and are then used by different people: each disk holds the same real
 * files, written in another order, to a filesystem that begins elsewhere, with own files and deleted ones between them.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { seeded, writeNoise } from '../../e2e/images/content.ts';
import { run, withLoop } from '../../e2e/images/tools.ts';

const MIB = 1 << 20;

export interface DedupPlan {
  readonly disks: number;
  readonly systemMib: number;
  /** Own files per disk. */
  readonly ownMib: number;
}

interface SystemFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Regular files of this machine's system, folder by folder, until there are enough. */
function systemFiles(limitBytes: number): SystemFile[] {
  const files: SystemFile[] = [];
  let sumBytes = 0;
  const visit = (folder: string): void => {
    const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (sumBytes >= limitBytes) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) {
        const sizeBytes = statSync(path).size;
        // One huge file would be all there is.
        if (sizeBytes > limitBytes / 10) continue;
        files.push({ path, sizeBytes });
        sumBytes += sizeBytes;
      }
    }
  };
  for (const folder of ['/usr/bin', '/usr/share', '/usr/lib', '/usr/sbin', '/usr/include', '/opt']) {
    try {
      visit(folder);
    } catch {
      // Not every system has every folder.
    }
  }
  return files;
}

/** Makes the disks that are not there yet. @returns bytes of the system files each holds */
export async function makeDisks(paths: readonly string[], plan: DedupPlan): Promise<{ systemBytes: number; files: number }> {
  const files = systemFiles(plan.systemMib * MIB);
  const systemBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const [index, path] of paths.entries()) await makeDisk(path, files, { plan, index });
  return { systemBytes, files: files.length };
}

async function makeDisk(
  path: string,
  files: readonly SystemFile[],
  { plan, index }: { plan: DedupPlan; index: number },
): Promise<void> {
  const firstMib = 32 + 17 * index;
  const volumeMib = Math.ceil(plan.systemMib * 1.35 + plan.ownMib * 2 + files.length / 200) + 64 + 40 * index;
  await run('truncate', ['-s', `${1 + firstMib + volumeMib + 1}M`, path]);
  const table = `label: gpt\nstart=1MiB,size=${firstMib}MiB\nstart=${1 + firstMib}MiB,size=${volumeMib}MiB\n`;
  await run('sfdisk', ['-q', path], { input: table });
  const window = { offsetBytes: (1 + firstMib) * MIB, sizeBytes: volumeMib * MIB };
  await withLoop(path, window, async (device) => {
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-N', String(files.length * 2 + 20_000), device]);
    const mounted = mkdtempSync(join(tmpdir(), 'diskfleet-dedup-'));
    await run('mount', [device, mounted]);
    try {
      fill(mounted, files, { plan, index });
    } finally {
      await run('umount', [mounted]);
      rmdirSync(mounted);
    }
  });
}

/** The system in an order of its own; before every 40th file an own one, every third of which is deleted at the end. */
function fill(root: string, files: readonly SystemFile[], { plan, index }: { plan: DedupPlan; index: number }): void {
  const random = seeded(`dedup ${index}`);
  const order = files.map((file) => ({ file, key: random() })).sort((a, b) => a.key - b.key);
  const ownEach = Math.ceil((plan.ownMib * 1.5 * MIB) / Math.max(1, Math.ceil(files.length / 40)));
  const litter: string[] = [];
  mkdirSync(join(root, 'home'), { recursive: true });
  for (const [number, { file }] of order.entries()) {
    if (number % 40 === 0) {
      const own = join(root, 'home', `own-${index}-${number}`);
      writeNoise(own, Math.ceil(ownEach * 2 * random()), `${index} ${number}`);
      if (number % 120 === 0) litter.push(own);
    }
    const target = join(root, file.path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(file.path, target);
  }
  for (const path of litter) rmSync(path);
}
