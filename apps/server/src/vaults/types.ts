/** What the vault service found out about a folder a vault could be made in. */
export interface FolderTest {
  readonly ok: boolean;
  readonly writable: boolean;
  readonly megabytesPerSecond: number | null;
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly isEmpty: boolean;
  readonly problem: string | null;
}
