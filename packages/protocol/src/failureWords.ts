/** What every failure has in words, and the sentences many of them share. */
export interface FailureText {
  readonly what: string;
  readonly data: string;
  readonly todo: string;
}

export const sourceSafe = 'Nothing was changed: the source was only read and earlier restore points are intact.';
export const targetUntouched = 'Nothing was written: the target still holds what it held before.';
export const noHarm = 'No data is affected.';
