/**
 * How much a vault holds, counted once and then kept by what comes and goes, and who may still add. Removed objects count until they
 * are really gone: they take room. Only packs are refused at the quota itself; the small objects that make stored packs a restore
 * point have a reserve beyond it, so that a run whose packs are all there can still end well.
 */
import type { StoredObject } from '@diskfleet/vault';
import { ServiceError } from './errors.ts';
import type { PolicyInForce } from './policy.ts';

const RESERVE_BYTES = 64 << 20;
const DAY_MS = 24 * 3_600_000;
const COUNT_AGAIN_MS = DAY_MS;
const MOST_MACHINES = 10_000;

export interface Usage {
  readonly storedBytes: number;
  readonly objects: number;
}

export interface Accounts {
  usage(): Promise<Usage>;
  /**
   * Room for one object. Call `keep` when it was stored, `giveBack` when it was not.
   * @throws ServiceError 507 `VAULT_QUOTA`
   */
  reserve(wanted: Wanted, policy: PolicyInForce): Promise<{ keep(): void; giveBack(): void }>;
  gone(sizeBytes: number): void;
}

export interface Wanted {
  readonly name: string;
  readonly sizeBytes: number;
  /** Null for the server itself: it may go beyond the quota, or a full vault could not be cleaned up. */
  readonly machineId: string | null;
  readonly nowMs: number;
}

export function openAccounts(list: () => AsyncIterable<StoredObject>, now: () => Date): Accounts {
  let counted: { atMs: number; used: Promise<{ storedBytes: number; objects: number }> } | null = null;
  const machines = new Map<string, { sinceMs: number; bytes: number }>();
  const count = async () => {
    const used = { storedBytes: 0, objects: 0 };
    for await (const { sizeBytes } of list()) {
      used.storedBytes += sizeBytes;
      used.objects += 1;
    }
    return used;
  };
  const current = () => {
    const nowMs = now().getTime();
    if (counted === null || nowMs - counted.atMs > COUNT_AGAIN_MS) {
      const used = count();
      counted = { atMs: nowMs, used };
      used.catch(() => {
        counted = null;
      });
    }
    return counted.used;
  };
  const spentToday = (machineId: string, nowMs: number) => {
    const known = machines.get(machineId);
    if (known && nowMs - known.sinceMs < DAY_MS) return known;
    const fresh = { sinceMs: nowMs, bytes: 0 };
    machines.delete(machineId);
    machines.set(machineId, fresh);
    for (const [id] of machines) if (machines.size > MOST_MACHINES) machines.delete(id);
    return fresh;
  };
  return {
    usage: current,
    async reserve({ name, sizeBytes, machineId, nowMs }, policy) {
      // Nobody who stores waits for the count of a vault that has no quota.
      const used = policy.quotaBytes === null ? null : await current();
      const spent = machineId === null ? null : spentToday(machineId, nowMs);
      const reserve = name.startsWith('packs/') ? 0 : RESERVE_BYTES;
      if (used && machineId !== null && policy.quotaBytes !== null && used.storedBytes + sizeBytes > policy.quotaBytes + reserve)
        throw new ServiceError(507, 'VAULT_QUOTA', `the vault may hold ${policy.quotaBytes} bytes and holds ${used.storedBytes}`);
      const { machineBytesPerDay: daily } = policy;
      if (spent && daily !== null && spent.bytes + sizeBytes > daily + reserve)
        throw new ServiceError(507, 'VAULT_QUOTA', `this machine may add ${daily} bytes a day and added ${spent.bytes}`);
      // Taken at once: of many that come together none may believe the room is its own.
      if (used) used.storedBytes += sizeBytes;
      if (spent) spent.bytes += sizeBytes;
      return {
        keep() {
          if (used) used.objects += 1;
          else if (counted !== null)
            void counted.used.then(
              (late) => add(late, sizeBytes, 1),
              () => {},
            );
        },
        giveBack() {
          if (used) used.storedBytes -= sizeBytes;
          if (spent) spent.bytes -= sizeBytes;
        },
      };
    },
    gone(sizeBytes) {
      if (counted !== null)
        void counted.used.then(
          (used) => add(used, -sizeBytes, -1),
          () => {},
        );
    },
  };
}

function add(used: { storedBytes: number; objects: number }, bytes: number, objects: number): void {
  used.storedBytes += bytes;
  used.objects += objects;
}
