/**
 * Which vault lies where, and what its keeper holds to. The service keeps this itself, so that neither the server nor its database can
 * point a vault somewhere else afterwards or forget that it promised to keep what was removed. One small JSON file, replaced atomically.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bucketShape, type VaultPolicy as Policy } from '@diskfleet/protocol';
import * as z from 'zod';
import { ServiceError } from './errors.ts';
import { locationOf, overlap, type Place, prepareNew } from './places.ts';
import { changePolicy, firstPolicy, type PolicySteps, policyStepsShape } from './policy.ts';

const entryShape = z.intersection(
  z.object({ registeredAt: z.iso.datetime(), policy: policyStepsShape.optional() }),
  z.union([z.object({ folder: z.string() }), z.object({ bucket: bucketShape })]),
);
type Entry = z.infer<typeof entryShape>;
const fileShape = z.object({ vaults: z.record(z.string(), entryShape) });

export interface Registry {
  placeOf(vaultId: string): Place | null;
  ids(): string[];
  /** Creates the folder when missing. @throws ServiceError when it is not absolute, not empty, or lies inside another vault. */
  register(vaultId: string, place: Place, now: Date): Promise<Place>;
  /** Oldest first; the last one is the one wanted. */
  policySteps(vaultId: string): PolicySteps;
  setPolicy(vaultId: string, policy: Policy, now: Date): Promise<void>;
}

export async function openRegistry(dataFolder: string, options: { allowLoopback: boolean }): Promise<Registry> {
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const path = join(dataFolder, 'vaults.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{"vaults":{}}';
    throw error;
  });
  let state = fileShape.parse(JSON.parse(text));
  let turn: Promise<unknown> = Promise.resolve();
  /** One change at a time; what could not be stored did not happen. */
  const change = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine;
    return mine;
  };
  const store = async (vaultId: string, entry: Entry) => {
    const next = { vaults: { ...state.vaults, [vaultId]: entry } };
    await replaceFile(path, JSON.stringify(next, null, 2));
    state = next;
  };
  const placeOf = (vaultId: string): Place | null => {
    const entry = Object.hasOwn(state.vaults, vaultId) ? state.vaults[vaultId] : undefined;
    if (!entry) return null;
    return 'folder' in entry ? { folder: entry.folder } : { bucket: entry.bucket };
  };
  const stepsOf = (vaultId: string): PolicySteps => state.vaults[vaultId]?.policy ?? [{ ...firstPolicy, atMs: 0 }];
  return {
    placeOf,
    ids: () => Object.keys(state.vaults),
    register: (vaultId, wanted, now) =>
      change(async () => {
        const known = placeOf(vaultId);
        if (known) {
          if (locationOf(known) === locationOf(wanted)) return known;
          throw new ServiceError(409, 'VAULT_EXISTS', 'this vault id is registered with another place');
        }
        const place = await prepareNew(wanted, options);
        for (const id of Object.keys(state.vaults)) {
          const other = placeOf(id);
          if (other && overlap(place, other))
            throw new ServiceError(409, 'VAULT_EXISTS', `the place overlaps the vault in ${locationOf(other)}`);
        }
        await store(vaultId, { ...place, registeredAt: now.toISOString(), policy: [{ ...firstPolicy, atMs: now.getTime() }] });
        return place;
      }),
    policySteps: stepsOf,
    setPolicy: (vaultId, policy, now) =>
      change(async () => {
        const entry = state.vaults[vaultId];
        if (!entry) throw new ServiceError(404, 'VAULT_NOT_FOUND', 'this service has no such vault');
        await store(vaultId, { ...entry, policy: changePolicy(stepsOf(vaultId), policy, now.getTime()) });
      }),
  };
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
