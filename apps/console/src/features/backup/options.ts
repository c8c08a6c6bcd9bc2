/** What may be set about a backup besides what and where. */
import type { Method } from './BackupChoices';

export const volatileContents = ['pagefile', 'swap', 'hibernation'] as const;
export type VolatileContent = (typeof volatileContents)[number];
export const compressions = ['fast', 'balanced', 'best', 'none'] as const;
export type Compression = (typeof compressions)[number];
export const cutters = ['default', 'files', 'grid'] as const;
export type Cutter = (typeof cutters)[number];

export interface BackupOptions {
  readonly leaveOut: ReadonlySet<VolatileContent>;
  readonly sectorBySector: boolean;
  readonly compression: Compression;
  /** `default`: the engine chooses by filesystem. */
  readonly cutter: Cutter;
  readonly trustMetadata: boolean;
  /** Go on when a disk in use cannot be held still. */
  readonly allowInconsistent: boolean;
}

export const firstOptions: BackupOptions = {
  leaveOut: new Set(volatileContents),
  sectorBySector: false,
  compression: 'balanced',
  cutter: 'default',
  trustMetadata: false,
  allowInconsistent: false,
};

/** What holds of the options beside each other: a copy of every sector leaves nothing out, trust needs something to build on. */
export function effectiveOptions(options: BackupOptions, method: Method): BackupOptions {
  const { sectorBySector } = options;
  return {
    ...options,
    leaveOut: sectorBySector ? new Set() : options.leaveOut,
    cutter: sectorBySector ? 'default' : options.cutter,
    trustMetadata: options.trustMetadata && method !== 'full' && !sectorBySector,
  };
}
