import type { JobSpec } from '@diskfleet/protocol';

/** Removes what is added at the moment of an offer: access to the vault and the permission to write. */
type WithoutSecrets<S> = S extends { vault: unknown } ? Omit<S, 'vault' | 'writeGrant'> : never;

/** A job as a person asked for it: a `JobSpec` without tokens and keys. `restore` also names the plan that was confirmed. */
export type JobRequest =
  | WithoutSecrets<Exclude<JobSpec, { kind: 'restore' }>>
  | (WithoutSecrets<Extract<JobSpec, { kind: 'restore' }>> & {
      readonly targetKey: string;
      readonly targetFingerprint: string;
      readonly approvedBy: string;
    });
