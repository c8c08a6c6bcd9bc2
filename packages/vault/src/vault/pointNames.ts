/** Names of points by id as last listed: they never change, and who removes a thousand points lists them once. */
import { pointNames } from '../gc/walkPoints.ts';
import type { Store } from '../types.ts';

export class PointNames {
  private readonly store: Store;
  private listed: Promise<ReadonlyMap<string, string>> | null = null;

  constructor(store: Store) {
    this.store = store;
  }

  /** The name of a point's manifest, or null when there is no such point now. */
  async find(id: string): Promise<string | null> {
    const { listed } = this;
    const known = (await listed)?.get(id);
    if (known !== undefined && (await this.store.head(known)) !== null) return known;
    // Callers at the same time share one listing.
    if (this.listed === listed) this.listed = this.list();
    return (await this.listed)?.get(id) ?? null;
  }

  private list(): Promise<ReadonlyMap<string, string>> {
    const names = pointNames(this.store);
    names.catch(() => {
      if (this.listed === names) this.listed = null;
    });
    return names;
  }
}
