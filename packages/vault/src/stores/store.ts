/** A store, the one thing a vault asks of the place it lies in, and how each kind is named. */
import type { Extent } from '@diskfleet/disk';

/** How to reach a store. Plain data, so it can be handed to worker threads and written to a job. */
export type StoreConfig =
  | { readonly kind: 'directory'; readonly path: string }
  /** [F31] A portable file, by its first part: read, never changed. */
  | { readonly kind: 'file'; readonly path: string }
  /** `baseUrl` names one vault of a vault service: `http://127.0.0.1:7302/v1/vaults/<vaultId>`; `token` is a capability token.
   * `patienceMs` (default 2 min): how long a service that is away or failing is asked again before `VAULT_UNREACHABLE`.
   * `tokenCell` (`makeTokenCell()`): shared memory through which `renewToken` replaces `token` in all threads of a run. */
  | {
      readonly kind: 'service';
      readonly baseUrl: string;
      readonly token: string;
      readonly patienceMs?: number;
      readonly tokenCell?: SharedArrayBuffer;
    }
  /** A bucket of an S3-compatible storage. `prefix`: no `/` at its ends, '' for the whole bucket. `endpoint` (default AWS's for the region):
   * base URL of another storage, with the bucket in its path. `patienceMs` as above. Holds secrets: keep it in memory. */
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly region: string;
      readonly endpoint?: string | undefined;
      readonly credentials: {
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        readonly sessionToken?: string | undefined;
      };
      readonly patienceMs?: number;
      /** Objects larger than this go up in parts; default 64 MiB, at least 5 MiB. */
      readonly multipartOverBytes?: number;
      /** Objects a page of a listing; default: the storage's own, 1,000. */
      readonly listPage?: number;
    };

export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
  /** When the store received it, by the store's clock, in ms since 1970. Only listings tell, and not those of every store. */
  readonly storedAtMs?: number;
  /** Of a restore point that was removed from a vault service: when it goes. Until then it is there as before. */
  readonly goesAtMs?: number;
}

/** A flat space of write-once objects. Names are `/`-separated lower-case ASCII. */
export interface Store {
  /** For messages; holds no secret. */
  readonly location: string;
  /** Durable and atomic when it resolves; never overwrites. */
  put(name: string, bytes: Uint8Array): Promise<'stored' | 'exists'>;
  /** The whole object or the given range. @throws VaultError `VAULT_OBJECT_MISSING`, `VAULT_STORE_FAILED`. */
  get(name: string, range?: Extent): Promise<Buffer>;
  head(name: string): Promise<StoredObject | null>;
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Admin only; the service store refuses it for agents, and keeps what is removed until its deletion delay is over. */
  remove(name: string): Promise<void>;
  /** Fills `target` from `offsetBytes` without an allocation; stores that cannot leave it out and are read by `get`. */
  readInto?(name: string, offsetBytes: number, target: Uint8Array): Promise<void>;
  /** Sentences for people: what this storage does that its like does not, e.g. locks objects against deletion. */
  facts?(): Promise<readonly string[]>;
  close(): Promise<void>;
}
