/**
 * Pages of a listing. A store lists in order from the beginning, so the walk stays open between two pages: to begin anew for each would
 * make the listing of a million packs a thousand times as long. Each walk belongs to the one listing it was begun for: a sweeper that
 * lists behind its fence must not be given what somebody else began to look at before.
 */
import { randomUUID } from 'node:crypto';
import type { Keeper, KeptObject } from './keeper.ts';

const PAGE = 1000;
const MOST_OPEN = 16;

export interface Page {
  readonly objects: readonly KeptObject[];
  /** What to give as `after` for the next page, as it is; null after the last. */
  readonly next: string | null;
}

interface Walk {
  readonly objects: AsyncIterator<KeptObject>;
  /** Looked at already, belongs to the next page. */
  readonly ahead: KeptObject;
  readonly after: string;
}

export interface Listings {
  /** `after`: '' for the first page, `next` of the page before, or the name of an object. */
  page(prefix: string, after: string): Promise<Page>;
}

export function openListings(keeper: Pick<Keeper, 'list'>): Listings {
  const open = new Map<string, Walk>();
  return {
    async page(prefix, after) {
      const [name = '', id = randomUUID()] = after.split(' ');
      const known = open.get(`${id} ${prefix}`);
      open.delete(`${id} ${prefix}`);
      const goesOn = known?.after === name ? known : null;
      const walk = goesOn?.objects ?? keeper.list(prefix)[Symbol.asyncIterator]();
      const objects: KeptObject[] = goesOn ? [goesOn.ahead] : [];
      for (;;) {
        const step = await walk.next();
        if (step.done) return { objects, next: null };
        if (!goesOn && step.value.name <= name) continue;
        const last = objects[PAGE - 1];
        if (last) {
          open.set(`${id} ${prefix}`, { objects: walk, ahead: step.value, after: last.name });
          await dropOldest(open);
          return { objects, next: `${last.name} ${id}` };
        }
        objects.push(step.value);
      }
    },
  };
}

async function dropOldest(open: Map<string, Walk>): Promise<void> {
  for (const [key, walk] of open) {
    if (open.size <= MOST_OPEN) return;
    open.delete(key);
    await walk.objects.return?.();
  }
}
