/** What each role may do. Every procedure names one of these; a test walks the router and fails on one that does not. */
import type { Role } from '@diskfleet/protocol';

export const permissions = [
  /** Callable by the console for somebody who is not signed in. */
  'nobody',
  /** Anybody who is signed in. */
  'session',
  'fleet:read',
  'machines:manage',
  'jobs:run',
  'files:read',
  'restore:files',
  'restore:disk',
  'points:manage',
  'vaults:manage',
  'vaults:keys',
  'audit:read',
] as const;
export type Permission = (typeof permissions)[number];

const everybody = ['session', 'fleet:read'] as const;
const operator = [...everybody, 'jobs:run', 'files:read', 'restore:files', 'restore:disk', 'points:manage'] as const;

const byRole: Record<Role, readonly Permission[]> = {
  owner: permissions.filter((name) => name !== 'nobody'),
  admin: [...operator, 'machines:manage', 'vaults:manage', 'audit:read'],
  operator,
  'restore-only': [...everybody, 'files:read', 'restore:files', 'restore:disk'],
  auditor: [...everybody, 'audit:read'],
};

export function mayRole(role: Role, permission: Permission): boolean {
  return byRole[role].includes(permission);
}
