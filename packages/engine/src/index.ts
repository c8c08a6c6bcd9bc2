export { backup } from './backup/backup.ts';
export { EngineError, type EngineErrorCode } from './errors.ts';
export { explore } from './explore/explore.ts';
export { readLayout } from './layout/readLayout.ts';
export { readUsedDisk } from './layout/readUsedDisk.ts';
export type { PlanTarget } from './restore/decideRestore.ts';
export { planRestore, planRestoreToLayout } from './restore/planRestore.ts';
export { restore } from './restore/restore.ts';
export type * from './types.ts';
