import * as z from 'zod';
import { base64, bytesNumber, foreignText, hex64, uuid } from './text.ts';

export const jobKinds = ['backup', 'restore', 'restoreFiles', 'explore', 'verify'] as const;
export type JobKind = (typeof jobKinds)[number];

export const jobStates = ['queued', 'offered', 'running', 'succeeded', 'failed', 'cancelled', 'missed'] as const;
export type JobState = (typeof jobStates)[number];

/** Everything an agent needs to reach a vault for one job; held in memory only. */
export const vaultGrantShape = z.object({
  vaultId: z.string().min(1).max(64),
  baseUrl: z.url(),
  token: z.string().max(4096),
  /** Base64, 32 bytes each. `privateKey` only in jobs that read. An unencrypted vault has no public key. */
  keys: z.object({ idKey: base64, publicKey: base64.nullable(), privateKey: base64.nullable() }),
});

/** Where a restore writes. `newFile` is created inside the agent's disk-files folder, as large as the saved disk. */
export const targetRefShape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('disk'), diskKey: z.string().min(1).max(160) }),
  z.object({ kind: z.literal('newFile'), fileName: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/) }),
]);
export type TargetRef = z.infer<typeof targetRefShape>;

/** What a backup takes. `system`: the agent chooses what the PC needs to start and run, by its own look at the disks. */
export const backupKinds = ['system', 'disk', 'partition'] as const;
export type BackupKind = (typeof backupKinds)[number];

/** Content that is worthless after a restart: it reads as zero after a restore. */
export const volatileContents = ['pagefile', 'hibernation', 'swap'] as const;

/** A disk and, for kind `partition`, the numbers of the partitions whose content is taken. */
const chosenDiskShape = z.object({
  key: z.string().min(1).max(160),
  partitions: z.array(z.number().int().min(1).max(1024)).min(1).max(256).optional(),
});
export type ChosenDisk = z.infer<typeof chosenDiskShape>;
export const chosenDisksShape = z.array(chosenDiskShape).min(1).max(32);

/** How a backup is made, apart from what it takes. Absent: nothing left out; the agent's own choice of cutter; false. */
export const backupOptionsShape = z.object({
  leaveOut: z.array(z.enum(volatileContents)).max(3).optional(),
  cutter: z.enum(['grid', 'files']).optional(),
  /** Take files whose metadata did not change since the last point as unchanged; a sample is read all the same. */
  trustMetadata: z.boolean().optional(),
  /** Go on when a disk in use cannot be held still: what changes while it is read may be saved half old, half new. */
  allowInconsistent: z.boolean().optional(),
});

export const jobSpecShape = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('backup'),
    vault: vaultGrantShape,
    backupKind: z.enum(backupKinds),
    method: z.enum(['full', 'incremental', 'differential']),
    /** Every disk the job reads. */
    diskKeys: z.array(z.string().min(1).max(160)).min(1).max(32),
    /** Kind `partition`: the same disks with what is taken of each. */
    disks: chosenDisksShape.optional(),
    compression: z.enum(['fast', 'balanced', 'best', 'none']),
    sectorBySector: z.boolean(),
    ...backupOptionsShape.shape,
  }),
  z.object({
    kind: z.literal('restore'),
    vault: vaultGrantShape,
    pointId: z.string().max(64),
    diskIndex: z.number().int().min(0).max(255),
    target: targetRefShape,
    planHash: hex64,
    /** Signed permission to write this one target once: see grants.ts. */
    writeGrant: z.string().max(4096),
  }),
  z.object({
    kind: z.literal('restoreFiles'),
    vault: vaultGrantShape,
    pointId: z.string().max(64),
    diskIndex: z.number().int().min(0).max(255),
    paths: z.array(z.string().max(4096)).min(1).max(1000),
    /** Absolute folder on the PC; created when missing. */
    destination: z.string().min(1).max(4096),
    overwrite: z.enum(['never', 'ifNewer', 'always', 'keepBoth']),
  }),
  z.object({
    kind: z.literal('explore'),
    vault: vaultGrantShape,
    pointId: z.string().max(64),
    diskIndex: z.number().int().min(0).max(255),
    path: z.string().max(4096),
  }),
  z.object({
    kind: z.literal('verify'),
    vault: vaultGrantShape,
    level: z.enum(['structure', 'data', 'content']),
    pointId: z.string().max(64).nullable(),
  }),
]);
export type JobSpec = z.infer<typeof jobSpecShape>;
export type JobSpecOf<K extends JobKind> = Extract<JobSpec, { kind: K }>;
export type VaultGrant = z.infer<typeof vaultGrantShape>;

/** One attempt of one job as the server offers it. `attempt` fences: messages of an older attempt are ignored. */
export const offeredJobShape = z.object({
  jobId: uuid,
  attempt: z.number().int().min(1),
  spec: jobSpecShape,
  expiresAt: z.iso.datetime(),
});
export type OfferedJob = z.infer<typeof offeredJobShape>;

export const progressShape = z.object({
  phase: foreignText(24),
  doneBytes: bytesNumber,
  totalBytes: bytesNumber,
  newBytes: bytesNumber,
  storedBytes: bytesNumber,
  skippedBytes: bytesNumber,
  bytesPerSecond: z.number().min(0).nullable(),
  /** Seconds left, as an honest range; null while unknown. */
  etaSeconds: z.object({ low: z.number().min(0), high: z.number().min(0) }).nullable(),
});
export type JobProgress = z.infer<typeof progressShape>;

export const logLineShape = z.object({
  at: z.iso.datetime(),
  level: z.enum(['info', 'warning', 'error']),
  text: foreignText(1000),
});
export type JobLogLine = z.infer<typeof logLineShape>;

/** A coded failure as it crosses a process; `failures.ts` turns the code into the four parts people read. */
export const failureShape = z.object({
  code: z.string().regex(/^[A-Z][A-Z0-9_]{2,60}$/),
  detail: foreignText(1000),
  retry: z.enum(['never', 'later']),
});
export type Failure = z.infer<typeof failureShape>;

const damagedShape = z.object({
  object: foreignText(200),
  problem: foreignText(300),
  points: z.array(foreignText(64)).max(1000),
  paths: z.array(foreignText(300)).max(1000),
});

export const jobResultShape = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('backup'),
    pointId: foreignText(64),
    method: z.enum(['full', 'incremental', 'differential']),
    sourceBytes: bytesNumber,
    usedBytes: bytesNumber,
    readBytes: bytesNumber,
    newBytes: bytesNumber,
    storedBytes: bytesNumber,
    seconds: z.number().min(0),
    warnings: z.array(foreignText(1000)).max(200),
  }),
  z.object({
    kind: z.literal('restore'),
    writtenBytes: bytesNumber,
    skippedBytes: bytesNumber,
    comparedBytes: bytesNumber,
    seconds: z.number().min(0),
    warnings: z.array(foreignText(1000)).max(200),
  }),
  z.object({
    kind: z.literal('restoreFiles'),
    files: z.number().int().min(0),
    writtenBytes: bytesNumber,
    skipped: z.number().int().min(0),
    seconds: z.number().min(0),
    warnings: z.array(foreignText(1000)).max(200),
  }),
  z.object({
    kind: z.literal('explore'),
    entries: z
      .array(
        z.object({
          name: foreignText(512),
          type: z.enum(['file', 'directory', 'symlink', 'other']),
          sizeBytes: bytesNumber,
          modifiedAt: z.iso.datetime().nullable(),
        }),
      )
      .max(10_000),
    truncated: z.boolean(),
  }),
  z.object({
    kind: z.literal('verify'),
    checkedBytes: bytesNumber,
    checkedObjects: z.number().int().min(0),
    damaged: z.array(damagedShape).max(1000),
  }),
]);
export type JobResult = z.infer<typeof jobResultShape>;

/** How one attempt ended; written to the agent's journal before it is sent, re-sent until acknowledged. */
export const jobOutcomeShape = z.object({
  jobId: uuid,
  attempt: z.number().int().min(1),
  endedAt: z.iso.datetime(),
  outcome: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('succeeded'), result: jobResultShape }),
    z.object({ kind: z.literal('failed'), failure: failureShape }),
    z.object({ kind: z.literal('cancelled') }),
  ]),
});
export type JobOutcome = z.infer<typeof jobOutcomeShape>;
