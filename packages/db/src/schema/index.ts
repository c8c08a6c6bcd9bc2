export { auditLog } from './audit.ts';
export { jobDisks, jobLog, jobs, restorePlans, runs } from './jobs.ts';
export { agents, enrolTokens, machines } from './machines.ts';
export { authSessions, setupDone, users } from './people.ts';
export { points, vaults } from './vaults.ts';
