/**
 * One vault as the service keeps it: a store in which nothing is destroyed before its time, whoever asks. What is removed stays where
 * it lies until the deletion delay is over. Restore points stay visible and usable until then, so that a clean-up counts what they
 * need; anything else (packs, segments, steps of a sweep) is hidden at once, so that no backup builds on what will go. A hidden object
 * that is stored again is simply there again.
 */
import { type Store, type StoredObject, VaultError } from '@diskfleet/vault';
import { type Accounts, openAccounts, type Usage } from './accounts.ts';
import { ServiceError } from './errors.ts';
import { type PolicyInForce, type PolicySteps, policyInForce } from './policy.ts';
import { openRemovals, type Removals } from './removals.ts';

export interface KeptObject extends StoredObject {
  /** Set on restore points that were removed: when they go. */
  readonly goesAtMs?: number;
}

export interface Purged {
  readonly gone: number;
  readonly waiting: number;
  /** The storage itself refuses to remove these for now, e.g. by object lock. */
  readonly locked: number;
}

export interface Keeper {
  readonly store: Store;
  policy(): PolicyInForce;
  put(name: string, bytes: Uint8Array, machineId: string | null): Promise<'stored' | 'exists'>;
  get(name: string, range?: { offsetBytes: number; lengthBytes: number }): Promise<Buffer>;
  head(name: string): Promise<StoredObject | null>;
  list(prefix: string): AsyncIterable<KeptObject>;
  /** @throws ServiceError `VAULT_REFUSED`, `VAULT_RETAINED`. */
  remove(name: string): Promise<void>;
  /** Takes a removal back. @throws ServiceError 404 when there is none. */
  undelete(name: string): Promise<void>;
  /** In the order in which they were removed. */
  removed(prefix?: string): Iterable<{ name: string; removedAtMs: number; goesAtMs: number }>;
  /** Destroys what was removed long enough ago. */
  purge(): Promise<Purged>;
  usage(): Promise<Usage>;
  close(): Promise<void>;
}

interface KeeperOptions {
  readonly store: Store;
  readonly removalsPath: string;
  readonly policySteps: () => PolicySteps;
  readonly now: () => Date;
}

export async function openKeeper(options: KeeperOptions): Promise<Keeper> {
  const removals = await openRemovals(options.removalsPath);
  return new StoreKeeper(options, removals);
}

class StoreKeeper implements Keeper {
  readonly store: Store;
  private readonly removals: Removals;
  private readonly accounts: Accounts;
  private readonly options: KeeperOptions;
  /** Names whose bytes are being destroyed: who wants to store one of them waits. */
  private readonly going = new Map<string, Promise<void>>();
  private purging: Promise<Purged> | null = null;

  constructor(options: KeeperOptions, removals: Removals) {
    this.options = options;
    this.store = options.store;
    this.removals = removals;
    this.accounts = openAccounts(() => this.store.list(''), options.now);
  }

  policy(): PolicyInForce {
    return policyInForce(this.options.policySteps(), this.nowMs());
  }

  private nowMs(): number {
    return this.options.now().getTime();
  }

  private isHidden(name: string): boolean {
    return this.removals.removedAtMs(name) !== undefined && !isPoint(name);
  }

  async put(name: string, bytes: Uint8Array, machineId: string | null): Promise<'stored' | 'exists'> {
    await this.going.get(name);
    if (this.isHidden(name)) return this.revive(name, bytes);
    const room = await this.accounts.reserve({ name, sizeBytes: bytes.length, machineId, nowMs: this.nowMs() }, this.policy());
    try {
      const outcome = await this.store.put(name, bytes);
      if (outcome === 'stored') room.keep();
      else room.giveBack();
      return outcome;
    } catch (error) {
      room.giveBack();
      throw error;
    }
  }

  /** Packs and segments have one possible content, which the store checks and heals; of all else the old bytes stay protected. */
  private async revive(name: string, bytes: Uint8Array): Promise<'stored' | 'exists'> {
    if (/^(packs|index)\//.test(name)) await this.store.put(name, bytes);
    else if (!(await this.store.get(name)).equals(bytes)) return 'exists';
    await this.removals.drop(name, this.nowMs());
    return 'stored';
  }

  async get(name: string, range?: { offsetBytes: number; lengthBytes: number }): Promise<Buffer> {
    if (this.isHidden(name)) throw new VaultError('VAULT_OBJECT_MISSING', `${name} was removed`);
    return range ? this.store.get(name, range) : this.store.get(name);
  }

  async head(name: string): Promise<StoredObject | null> {
    return this.isHidden(name) ? null : this.store.head(name);
  }

  async *list(prefix: string): AsyncIterable<KeptObject> {
    for await (const object of this.store.list(prefix)) {
      const removedAtMs = this.removals.removedAtMs(object.name);
      if (removedAtMs === undefined) yield object;
      else if (isPoint(object.name)) yield { ...object, goesAtMs: removedAtMs + this.policy().deletionDelayMs };
    }
  }

  async remove(name: string): Promise<void> {
    // A lease is a hint: it holds nothing that could be lost.
    if (name.startsWith('sessions/')) return this.destroy(name);
    if (!/^(points|packs|index|gc)\//.test(name))
      throw new ServiceError(403, 'VAULT_REFUSED', `${name} is never removed: without it the vault cannot be opened`);
    if (isPoint(name)) await this.checkRetention(name);
    if ((await this.store.head(name)) === null) return;
    await this.removals.add(name, this.nowMs());
    if (this.policy().deletionDelayMs === 0) await this.destroyRemoved(name);
  }

  private async checkRetention(name: string): Promise<void> {
    const { minRetentionMs } = this.policy();
    if (minRetentionMs === 0) return;
    for await (const object of this.store.list(name)) {
      if (object.name !== name) continue;
      const keptUntilMs = (object.storedAtMs ?? this.nowMs()) + minRetentionMs;
      if (keptUntilMs <= this.nowMs()) return;
      const text = `the vault keeps every restore point until ${new Date(keptUntilMs).toISOString()} (minimum retention)`;
      throw new ServiceError(409, 'VAULT_RETAINED', text);
    }
  }

  async undelete(name: string): Promise<void> {
    await this.going.get(name);
    if (this.removals.removedAtMs(name) === undefined)
      throw new ServiceError(404, 'VAULT_OBJECT_MISSING', `${name} was not removed, or is gone`);
    await this.removals.drop(name, this.nowMs());
    // [F24] Its record would hide that the point was lost, should that happen one day.
    const pointId = /-([0-9a-f]{32})\.(?:adi|afi)$/.exec(name)?.[1];
    if (isPoint(name) && pointId !== undefined) await this.remove(`gc/removed-${pointId}`);
  }

  *removed(prefix = '') {
    const { deletionDelayMs } = this.policy();
    for (const [name, removedAtMs] of this.removals.names())
      if (name.startsWith(prefix)) yield { name, removedAtMs, goesAtMs: removedAtMs + deletionDelayMs };
  }

  purge(): Promise<Purged> {
    this.purging ??= this.purgeNow().finally(() => {
      this.purging = null;
    });
    return this.purging;
  }

  private async purgeNow(): Promise<Purged> {
    let gone = 0;
    let locked = 0;
    for (const { name, goesAtMs } of this.removed()) {
      if (goesAtMs > this.nowMs()) continue;
      try {
        await this.destroyRemoved(name);
        gone += 1;
      } catch (error) {
        if (!(error instanceof VaultError) || error.code !== 'VAULT_OBJECT_LOCKED') throw error;
        locked += 1;
      }
    }
    return { gone, locked, waiting: this.removals.size - locked };
  }

  private async destroyRemoved(name: string): Promise<void> {
    const work = this.destroy(name).then(() => this.removals.drop(name, this.nowMs()));
    this.going.set(
      name,
      work.catch(() => {}),
    );
    try {
      await work;
    } finally {
      this.going.delete(name);
    }
  }

  private async destroy(name: string): Promise<void> {
    const found = await this.store.head(name);
    await this.store.remove(name);
    if (found) this.accounts.gone(found.sizeBytes);
  }

  usage(): Promise<Usage> {
    return this.accounts.usage();
  }

  async close(): Promise<void> {
    await this.purging?.catch(() => {});
    await this.removals.close();
    await this.store.close();
  }
}

function isPoint(name: string): boolean {
  return name.startsWith('points/');
}
