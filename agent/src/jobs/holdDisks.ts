/** What a backup does about disks in use, the same for jobs and for the command: take them as one moment, or refuse. */
import type { LiveSource, Operation, RunLogLine } from '@diskfleet/engine';
import { AgentError } from '../errors.ts';
import type { ChosenDisk } from '../inventory/chooseDisks.ts';
import type { LiveOptions, Platform, PlatformDisk } from '../platform/types.ts';

export interface HoldOptions {
  /** Back up a disk that cannot be held all the same, half old and half new. */
  readonly allowInconsistent: boolean;
  /** Folders the backup writes to. */
  readonly writesTo: readonly string[];
  /** Go on following writes after the backup, for the next one. */
  readonly keepFollowing: boolean;
}

export interface HeldDisks {
  /** What to give the engine beside the disk. */
  liveOf(disk: PlatformDisk): { readonly live?: LiveSource };
  /** Said once, with the result. */
  readonly warnings: readonly string[];
  /** An operation that keeps still while volumes are held: what is told might be written to one of them. */
  quiet<T extends Operation>(op: T): T;
  close(): void;
}

/** @throws AgentError `LIVE_UNSUPPORTED` */
export async function holdDisks(platform: Platform, disks: readonly ChosenDisk[], options: HoldOptions): Promise<HeldDisks> {
  const sources = new Map<string, LiveSource>();
  const warnings: string[] = [];
  const closing: (() => void)[] = [];
  const close = () => {
    for (const one of closing) one();
  };
  try {
    for (const { disk, partitions } of disks) {
      const opened = await openOne(platform, disk, { ...options, ...(partitions && { partitions }) });
      if (opened.kind === 'none') warnings.push(halfAndHalf(disk, opened.reasons, options));
      if (opened.kind !== 'live') continue;
      closing.push(opened.close);
      sources.set(disk.path, opened.source);
      warnings.push(...opened.warnings);
    }
  } catch (error) {
    close();
    throw error;
  }
  const liveOf = ({ path }: PlatformDisk) => {
    const live = sources.get(path);
    return live === undefined ? {} : { live };
  };
  return { liveOf, warnings, quiet: (op) => quiet(platform, op), close };
}

async function openOne(platform: Platform, disk: PlatformDisk, options: LiveOptions) {
  if (platform.live !== undefined) return platform.live.open(disk, options);
  if (disk.use.mounts.length === 0) return { kind: 'idle' as const };
  return { kind: 'none' as const, reasons: ['this system cannot hold volumes still'] };
}

function halfAndHalf({ name, use }: PlatformDisk, reasons: readonly string[], { allowInconsistent }: HoldOptions): string {
  const why = `${name} is in use (${use.busyReason ?? 'mounted'}): ${reasons.join('; ')}`;
  if (!allowInconsistent) throw new AgentError('LIVE_UNSUPPORTED', why);
  return `${why}. What changes while it is read may be saved half old, half new`;
}

function quiet<T extends Operation>(platform: Platform, op: T): T {
  const { live } = platform;
  const { onLog, onProgress } = op;
  if (live === undefined) return op;
  return {
    ...op,
    ...(onLog && {
      onLog(line: RunLogLine) {
        if (live.isHolding()) void live.whenLetGo().then(() => onLog(line));
        else onLog(line);
      },
    }),
    ...(onProgress && {
      onProgress(progress: Parameters<typeof onProgress>[0]) {
        if (!live.isHolding()) onProgress(progress);
      },
    }),
  };
}
