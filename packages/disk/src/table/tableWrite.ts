/** Whole sectors to be written at one place of the disk. */
export interface TableWrite {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
}
