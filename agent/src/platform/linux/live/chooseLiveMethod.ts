/** Decides how a disk in use is backed up as one moment, or says to people why it cannot be. Pure. */

export interface LiveFacts {
  /** Why volumes cannot be held still by this process (not root, no libc calls), or null. */
  readonly whyNoFreeze: string | null;
  /** Why the writes to the disk cannot be followed while it is read, or null. */
  readonly whyNoTrace: string | null;
  readonly sizeBytes: number;
  readonly volumes: readonly {
    readonly mountPoint: string;
    readonly fsType: string;
    readonly otherDisks: readonly string[];
  }[];
  /** Devices of the disk that are mounted where this process cannot reach them. */
  readonly elsewhere: readonly string[];
  /** Places the backup itself writes to that lie on a volume of the disk. */
  readonly written: readonly { readonly path: string; readonly mountPoint: string }[];
}

export type LiveChoice =
  /** Copy while writers write, follow what they write, hold them for the rest. */
  | { readonly method: 'precopy'; readonly warnings: readonly string[] }
  /** So small that writers can be held for all of it. */
  | { readonly method: 'freeze-only'; readonly warnings: readonly string[] }
  | { readonly method: 'none'; readonly reasons: readonly string[] };

/** The engine takes no more than this aside while writers wait. */
const FREEZE_ONLY_MAX_BYTES = 64 * 1024 * 1024;

/** Filesystems without a way to hold their writers. They are written out, and watched for writes while the others are held. */
const cannotFreeze = new Set([
  'vfat',
  'msdos',
  'exfat',
  'ntfs',
  'ntfs3',
  'fuseblk',
  'udf',
  'hfs',
  'hfsplus',
  'affs',
  'ufs',
  'minix',
]);

/** Other machines write to the disk as well, and nothing here tells of it. */
const shared = new Set(['gfs2', 'ocfs2', 'vmfs', 'lustre']);

export function canFreeze(fsType: string): boolean {
  return !cannotFreeze.has(fsType);
}

export function chooseLiveMethod(facts: LiveFacts): LiveChoice {
  const reasons = reasonsAgainst(facts);
  const { whyNoTrace, sizeBytes } = facts;
  const isSmall = sizeBytes <= FREEZE_ONLY_MAX_BYTES;
  const watched = facts.volumes.filter(({ fsType }) => !canFreeze(fsType));
  if (whyNoTrace !== null && !isSmall) reasons.push(`its writes cannot be followed: ${whyNoTrace}`);
  if (whyNoTrace !== null && isSmall) {
    for (const { mountPoint, fsType } of watched) reasons.push(`${fsType} at ${mountPoint} cannot be held still`);
  }
  if (reasons.length > 0) return { method: 'none', reasons };
  const warnings = watched.map(
    ({ mountPoint, fsType }) =>
      `${fsType} cannot hold its writers: ${mountPoint} is written out first, and what is in memory of it later is not saved`,
  );
  return { method: whyNoTrace === null ? 'precopy' : 'freeze-only', warnings };
}

function reasonsAgainst({ whyNoFreeze, volumes, elsewhere, written }: LiveFacts): string[] {
  const reasons: string[] = [];
  if (whyNoFreeze !== null) reasons.push(`its volumes cannot be held still: ${whyNoFreeze}`);
  for (const { mountPoint, otherDisks } of volumes) {
    if (otherDisks.length > 0)
      reasons.push(`${mountPoint} also lies on ${otherDisks.join(', ')}, and one disk at a time is held`);
  }
  for (const { mountPoint, fsType } of volumes) {
    if (shared.has(fsType)) reasons.push(`other machines write to ${mountPoint} (${fsType}) too`);
  }
  if (elsewhere.length > 0) {
    reasons.push(
      `${elsewhere.join(', ')} is mounted where this process cannot reach it (a container or another mount namespace)`,
    );
  }
  for (const { path, mountPoint } of written) {
    reasons.push(
      `the backup would write to ${path}, which lies on ${mountPoint}: on the very disk it reads, so it would never be done`,
    );
  }
  return reasons;
}
