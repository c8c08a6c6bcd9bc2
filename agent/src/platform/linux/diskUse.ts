/** Answers, for one disk or file, who uses it: pure, from the graph and the uses read before. */
import type { DiskMount, DiskUse } from '../types.ts';
import type { BlockGraph, Place } from './blockGraph.ts';
import type { Use } from './users.ts';

/** A disk that holds one of these is the one the PC runs from. */
const systemFolders = new Set(['/', '/usr', '/boot', '/boot/efi', '/efi', '/var', '/etc']);

/** What is asked about: a kernel disk, or a range of a file. */
export interface Asked {
  readonly disk: string | null;
  /** The file itself, or the one behind a loop device, with the window the device shows of it. */
  readonly file: { readonly path: string; readonly startBytes: number; readonly sizeBytes: number } | null;
}

export function diskUse(graph: BlockGraph, uses: readonly Use[], asked: Asked): DiskUse {
  const found = uses.flatMap((use) => {
    const at = whereOn(use.places, asked);
    return at === null ? [] : [{ use, at }];
  });
  const mounts: DiskMount[] = [];
  const swaps: DiskMount[] = [];
  for (const { use, at } of found) {
    if (use.kind === 'mount') mounts.push({ mountPoint: use.what, ...at });
    if (use.kind === 'swap') swaps.push({ mountPoint: 'swap', ...at });
  }
  const isSystemDisk = found.some(({ use }) => use.kind === 'swap' || (use.kind === 'mount' && systemFolders.has(use.what)));
  return {
    isSystemDisk,
    busyReason:
      reason(
        found.map(({ use }) => use),
        isSystemDisk,
      ) ?? attached(graph, asked),
    mounts,
    ...(swaps.length === 0 ? {} : { swaps }),
  };
}

/** Where the use begins on what was asked about; null: it is somewhere else. */
function whereOn(places: readonly Place[], asked: Asked): Omit<DiskMount, 'mountPoint'> | null {
  for (const { disk, file, startBytes, memberBytes } of places) {
    const own = disk !== null && disk === asked.disk;
    if (!own && (file === null || asked.file === null || file !== asked.file.path)) continue;
    const offset = own ? 0 : (asked.file?.startBytes ?? 0);
    const member = memberBytes === undefined ? {} : { memberBytes: memberBytes - offset };
    if (startBytes === null || own) return { startBytes, ...member };
    const start = startBytes - offset;
    if (start >= 0 && start < (asked.file?.sizeBytes ?? 0)) return { startBytes: start };
  }
  return null;
}

function reason(uses: readonly Use[], isSystemDisk: boolean): string | null {
  if (isSystemDisk) return 'the running system lives on it';
  const points = uses.filter((use) => use.kind === 'mount').map((use) => use.what);
  if (points.length > 0)
    return `mounted at ${points.slice(0, 3).join(', ')}${points.length > 3 ? ` and ${points.length - 3} more` : ''}`;
  const holder = uses.find((use) => use.kind === 'holder');
  return holder === undefined ? null : `held by ${holder.what} (LVM, RAID or encryption)`;
}

/** A file behind a loop device is cached by it: writing the file beneath would be undone or mixed. */
function attached(graph: BlockGraph, asked: Asked): string | null {
  if (asked.disk !== null || asked.file === null) return null;
  for (const node of graph.values()) {
    if (node.loop?.backingFile === asked.file.path) return `attached as /dev/${node.name}`;
  }
  return null;
}
