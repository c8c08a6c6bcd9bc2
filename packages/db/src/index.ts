export { type Database, type DatabaseAddress, migrateDatabase, openDatabase, type Queries } from './database.ts';
export type { JobRequest } from './jobRequest.ts';
export {
  agents,
  auditLog,
  authSessions,
  enrolTokens,
  jobDisks,
  jobLog,
  jobs,
  machines,
  points,
  restorePlans,
  runs,
  setupDone,
  users,
  vaults,
} from './schema/index.ts';
export type { MachineBrief } from './schema/machines.ts';
