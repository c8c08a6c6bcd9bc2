/** How a vault is kept: shapes that the vault service, the server and the console share. PROTOCOL.md [P16]–[P20] says what they mean. */
import * as z from 'zod';

const dayMs = 24 * 3_600_000;
const spanMs = z
  .int()
  .min(0)
  .max(3650 * dayMs);
const bytes = z.int().min(0).nullable();
const count = z.int().min(0).max(100_000);
const least1 = z.int().min(1).max(100_000);

/** `quotaBytes`: of all that is stored. `machineBytesPerDay`: what one machine may add in 24 hours. Null: no limit. */
export const vaultPolicyShape = z.object({
  deletionDelayMs: spanMs,
  minRetentionMs: spanMs,
  quotaBytes: bytes,
  machineBytesPerDay: bytes,
});
export type VaultPolicy = z.infer<typeof vaultPolicyShape>;

/** `inForce` is what counts now; `changesAtMs` when the last of what was shortened takes effect, null when all that is wanted is in force. */
export const vaultPolicyAnswerShape = z.object({
  wanted: vaultPolicyShape,
  inForce: vaultPolicyShape.extend({ changesAtMs: z.number().nullable() }),
});
export type VaultPolicyAnswer = z.infer<typeof vaultPolicyAnswerShape>;

/** A place in a bucket of an S3-compatible storage, with the keys to it. `prefix`: no `/` at its ends, '' for the whole bucket. */
export const bucketShape = z.object({
  bucket: z.string().min(3).max(255),
  prefix: z
    .string()
    .max(500)
    .regex(/^(?!\/)(.*[^/])?$/),
  region: z.string().regex(/^[A-Za-z0-9-]{1,60}$/),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .max(1000)
    .optional(),
  accessKeyId: z.string().min(1).max(200),
  secretAccessKey: z.string().min(1).max(500),
});
export type Bucket = z.infer<typeof bucketShape>;

/** A deletion rule; the vault package's `Scheme` says what each means. */
const schemeShape = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('full'), keep: least1 }),
  z.object({ kind: z.literal('incremental'), keep: least1 }),
  z.object({ kind: z.literal('differential'), keep: least1 }),
  z.object({ kind: z.literal('time'), days: least1 }),
  z.object({ kind: z.literal('calendar'), days: count, weeks: count, months: count, years: count }),
  z.object({ kind: z.literal('space'), bytes: z.int().min(1) }),
]);

/** `floor`: never fewer points of a series than this. */
export const pruneRuleShape = z.object({ scheme: schemeShape, floor: least1, keepFirstFull: z.boolean() });
export type PruneRule = z.infer<typeof pruneRuleShape>;

/** One run of prune by the rule and of the sweeper over a vault. */
export interface TendReport {
  readonly startedAt: string;
  readonly endedAt: string;
  /** E-mail of who asked, or `system`. */
  readonly by: string;
  readonly removedPoints: number;
  /** Points the rule lets go and the vault keeps for now. */
  readonly keptPoints: number;
  readonly sweptPacks: number;
  readonly markedPacks: number;
  /** Why what was marked earlier is not swept yet. */
  readonly waiting: 'delay' | 'session' | 'clock' | null;
  readonly failure: { readonly code: string; readonly detail: string } | null;
}

export interface PrunePreview {
  readonly id: string;
  readonly action: 'keep' | 'delete';
  readonly why: string;
}

/** `policy` null: the vault service cannot be asked now. `rule` null: nothing is deleted by itself. */
export interface VaultKeeping {
  readonly policy: VaultPolicyAnswer | null;
  readonly rule: PruneRule | null;
  readonly lastRun: TendReport | null;
  readonly running: boolean;
}
