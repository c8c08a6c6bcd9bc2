import type { VaultToken } from '@diskfleet/protocol';

export type ObjectVerb = 'put' | 'get' | 'list' | 'remove';

const writable = /^(packs|index|sessions)\//;
const listedByWriters = /^(index|gc|sessions)\//;

/**
 * What a capability token may do to one object name (or, for `list`, to one prefix) of its vault. Pure: the whole policy of the
 * service in one place.
 * A writer can add and find its way (index, its own points' manifests, whose content is sealed), but cannot read packs of
 * anybody, add points in another machine's name, or remove anything. Only an admin's token removes, and what is removed stays for a while.
 */
export function mayAccess(token: VaultToken, verb: ObjectVerb, name: string): boolean {
  if (isAdmin(token)) return true;
  if (verb === 'remove') return false;
  if (token.verbs.includes('read') && verb !== 'put') return true;
  if (!token.verbs.includes('write') || token.machineId === null) return false;
  const ownPoints = name.startsWith(`points/${token.machineId}/`);
  if (verb === 'put') return writable.test(name) || ownPoints;
  // Names and sizes of packs tell a writer what is really there, so that a backup stores anew what was lost.
  if (verb === 'list' && name.startsWith('packs/')) return true;
  return name === 'config' || listedByWriters.test(name) || ownPoints;
}

/** Nothing that runs on a PC is ever an admin, whatever its token says: a token that names a machine is an agent's. */
export function isAdmin(token: VaultToken): boolean {
  return token.verbs.includes('admin') && token.machineId === null;
}

/** A writer may ask whether a pack exists (its own retry), though not read it. */
export function mayProbe(token: VaultToken, name: string): boolean {
  return mayAccess(token, 'get', name) || (token.verbs.includes('write') && name.startsWith('packs/'));
}

const segment = /^[a-z0-9~_-][a-z0-9._~-]{0,119}$/;

/** Object names are relative, at most 8 segments, and can never climb out of the vault's folder. */
export function isObjectName(name: string): boolean {
  const parts = name.split('/');
  return name.length <= 600 && parts.length <= 8 && parts.every((part) => segment.test(part) && !part.includes('..'));
}

/** A list prefix is an object name that may end in `/` or be empty. */
export function isPrefix(prefix: string): boolean {
  return prefix === '' || isObjectName(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}
