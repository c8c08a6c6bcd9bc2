export { backup } from './backup/backup.ts';
export { EngineError, type EngineErrorCode } from './errors.ts';
export { readLayout } from './layout/readLayout.ts';
export { readUsedDisk } from './layout/readUsedDisk.ts';
export type * from './types.ts';
