/** Views the server's tRPC procedures return to the console. Times are ISO 8601 UTC texts; sizes are bytes. */
import type { Inventory, InventoryDisk, InventoryPartition } from './inventory.ts';
import type { BackupKind, Failure, JobKind, JobLogLine, JobProgress, JobResult, JobState } from './jobs.ts';

export type Role = 'owner' | 'admin' | 'operator' | 'restore-only' | 'auditor';
export type ProtectionState = 'protected' | 'at-risk' | 'overdue' | 'never' | 'paused';

export interface UserView {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
}

export interface MachineSummary {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly os: string;
  readonly state: 'pending' | 'approved' | 'revoked' | 'quarantined';
  readonly connection: 'online' | 'offline';
  readonly lastSeenAt: string | null;
  readonly protection: ProtectionState;
  /** One sentence saying why. */
  readonly protectionReason: string;
  readonly newestPointAt: string | null;
  readonly disks: number;
  readonly totalBytes: number;
  readonly activeJobs: number;
  /** Short fingerprint of the agent's key, shown at approval and by `diskfleet run`, so that a person can compare. */
  readonly keyFingerprint: string;
  readonly agentVersion: string;
  readonly limitation: string | null;
}

export interface MachineView extends MachineSummary {
  readonly inventory: Inventory;
  readonly enrolledAt: string;
  readonly approvedAt: string | null;
}

export interface JobView {
  readonly id: string;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly machineId: string;
  readonly machineName: string;
  /** What it works on, in words: disk name, point date. */
  readonly subject: string;
  readonly attempt: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** True when it runs on an agent that is not connected now. */
  readonly lostContact: boolean;
  readonly progress: JobProgress | null;
  readonly result: JobResult | null;
  readonly failure: Failure | null;
  readonly pointId: string | null;
}
export interface JobDetail extends JobView {
  readonly log: readonly JobLogLine[];
}

/** What a backup would take and leave out, by the machine's last inventory: shown before it starts. */
export interface BackupPlanView {
  readonly backupKind: BackupKind;
  /** Every disk the job would read. Other disks of the machine are in `leftOutDisks`. */
  readonly disks: readonly BackupPlanDisk[];
  /** Kind `system` only: disks of the machine of which nothing is taken. */
  readonly leftOutDisks: readonly {
    readonly key: string;
    readonly name: string;
    readonly sizeBytes: number;
    readonly why: string;
  }[];
  /** Bytes in use in what is taken and in what is not, as far as known. */
  readonly includedBytes: number;
  readonly leftOutBytes: number;
  /** What a person should read before agreeing: data that is left out, what was decided in doubt. */
  readonly warnings: readonly string[];
  /** Why it cannot be started as chosen, or null. */
  readonly problem: { readonly code: string; readonly text: string } | null;
}
export interface BackupPlanDisk {
  readonly key: string;
  readonly name: string;
  /** In the order of the inventory; empty for a disk without a table, which is taken whole. */
  readonly partitions: readonly {
    readonly number: number;
    readonly included: boolean;
    /** One clause for people: `the running system mounts it at /boot`, `data: mounted at /home`. */
    readonly why: string;
    readonly label: string;
    readonly filesystem: string | null;
    readonly sizeBytes: number;
    readonly usedBytes: number;
  }[];
}

export interface VaultView {
  readonly id: string;
  readonly name: string;
  readonly folder: string;
  readonly encryption: 'managed' | 'none';
  readonly state: 'ready' | 'unreachable';
  readonly points: number;
  readonly storedBytes: number;
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly recoveryKitDownloadedAt: string | null;
  readonly createdAt: string;
}

export interface PointView {
  readonly id: string;
  readonly vaultId: string;
  readonly vaultName: string;
  readonly kind: 'system' | 'disk' | 'partition' | 'file';
  readonly method: 'full' | 'incremental' | 'differential';
  readonly machineId: string;
  readonly machineName: string;
  /** Names of the disks in it. */
  readonly source: string;
  readonly createdAt: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly pinned: boolean;
  readonly comment: string;
  readonly verified: { readonly at: string; readonly ok: boolean } | null;
  /** It was deleted and goes then; until then it can be used and the deletion taken back. Absent: it stays. */
  readonly goesAt?: string;
}
/** Disks in the same shape as the inventory's, so that one disk map draws both. */
export interface PointDetail extends PointView {
  readonly disks: readonly PointDisk[];
  readonly warnings: readonly string[];
}
export type PointDisk = Pick<
  InventoryDisk,
  'name' | 'model' | 'serial' | 'sizeBytes' | 'sectorBytes' | 'table' | 'tableId' | 'filesystem'
> & {
  readonly index: number;
  readonly usedBytes: number;
  readonly partitions: readonly PointPartition[];
};
export type PointPartition = Omit<InventoryPartition, 'mountPoint' | 'holds' | 'mountPoints' | 'inUse' | 'group'> & {
  /** Its content is not part of the point; what it held then is described all the same. */
  readonly content?: 'leftOut';
};

export interface ExplorerEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'other' | 'partition';
  readonly sizeBytes: number;
  readonly modifiedAt: string | null;
  readonly linkTarget: string | null;
  /** For `partition`: filesystem and label; browsable says whether it can be opened. */
  readonly description: string | null;
  readonly browsable: boolean;
  /** A partition that is not part of the restore point. */
  readonly leftOut?: boolean;
}
export interface ExplorerPage {
  readonly path: string;
  readonly entries: readonly ExplorerEntry[];
  readonly nextCursor: number | null;
  readonly total: number;
}

export interface RestorePlanView {
  readonly planId: string;
  readonly planHash: string;
  readonly expiresAt: string;
  readonly fits: boolean;
  readonly reasons: readonly { readonly code: string; readonly text: string }[];
  readonly warnings: readonly { readonly code: string; readonly text: string }[];
  readonly pointId: string;
  readonly diskIndex: number;
  readonly source: PointDisk;
  readonly machine: { readonly id: string; readonly name: string };
  /** The target as it is now; null for a new file. */
  readonly targetBefore: InventoryDisk | null;
  readonly target: {
    readonly path: string;
    readonly name: string;
    readonly serial: string;
    readonly sizeBytes: number;
    readonly create: boolean;
  };
  readonly partitions: readonly {
    readonly number: number;
    readonly action: 'create' | 'overwrite' | 'keep' | 'drop';
    readonly fromBytes: number;
    readonly toBytes: number;
    readonly toStartBytes: number;
    readonly label: string;
    readonly filesystem: string | null;
    /** Not part of the restore point. `keep`: the target has it, not a byte of it is written; `create`: without content; `drop`: no room. */
    readonly content?: 'leftOut';
    /** With `create`: what lies in its place on the target is not touched. */
    readonly untouched?: boolean;
  }[];
  /** `newestPoint` is the newest restore point that holds a backup of this, or null: "no backup exists of this". */
  readonly losses: readonly {
    readonly label: string;
    readonly filesystem: string | null;
    readonly usedBytes: number | null;
    readonly sizeBytes: number;
    readonly newestPoint: { readonly id: string; readonly createdAt: string } | null;
  }[];
  readonly bootSteps: readonly string[];
  readonly estimatedBytes: number;
  /** What the person must type, exactly. */
  readonly confirmText: string;
}

export interface OverviewView {
  readonly counts: {
    readonly protected: number;
    readonly atRisk: number;
    readonly overdue: number;
    readonly never: number;
    readonly paused: number;
    readonly offline: number;
    readonly pending: number;
    readonly total: number;
  };
  readonly attention: readonly {
    readonly kind: 'pending' | 'never' | 'overdue' | 'failed' | 'vault' | 'offline' | 'at-risk';
    readonly text: string;
    readonly machineId: string | null;
    readonly jobId: string | null;
    readonly vaultId: string | null;
  }[];
  /** Oldest first, one per day and counting jobs and points of the whole fleet. */
  readonly days: readonly {
    readonly day: string;
    readonly state: 'ok' | 'warning' | 'failed' | 'overdue' | 'none';
    readonly points: number;
    readonly failed: number;
  }[];
  readonly storage: {
    readonly storedBytes: number;
    readonly protectedBytes: number;
    readonly freeBytes: number | null;
    readonly daysUntilFull: number | null;
    readonly vaults: number;
  };
  readonly runningJobs: readonly JobView[];
  readonly recentJobs: readonly JobView[];
  readonly checklist: {
    readonly vault: boolean;
    readonly recoveryKit: boolean;
    readonly machine: boolean;
    readonly firstPoint: boolean;
    readonly openedPoint: boolean;
  };
}

export interface AuditEntryView {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: string;
}

/** Live events of the one multiplexed subscription: ids plus what changes fastest. */
export type LiveEvent =
  | {
      readonly kind: 'job';
      readonly jobId: string;
      readonly machineId: string;
      readonly state: JobState;
      readonly progress: JobProgress | null;
    }
  | { readonly kind: 'jobLog'; readonly jobId: string }
  | { readonly kind: 'machine'; readonly machineId: string }
  | { readonly kind: 'point'; readonly pointId: string }
  | { readonly kind: 'vault'; readonly vaultId: string }
  /** Events may have been missed (first connection, a long cut, a restarted server): ask for everything shown anew. */
  | { readonly kind: 'resync' };
