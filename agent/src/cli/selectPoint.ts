import type { PointHeader } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { portableFile } from './portable.ts';

const MIN_PREFIX = 6;

/** What the vault lists: points, and object names of manifests that cannot be read. */
export interface ListedPoints {
  readonly points: readonly PointHeader[];
  readonly unreadable: readonly string[];
}

/**
 * Finds the point a person means: `latest`, an id, the beginning of exactly one id, or `<machine>/<source>@<time>` where the time
 * may be shortened (`2026-11-22` or `2026-11-22T10:15`) as long as one point matches. A damaged manifest is named, never passed
 * over: the next older point is another state of the disk than the one asked for.
 * @throws AgentError `POINT_NOT_FOUND`, `POINT_AMBIGUOUS`, `POINT_DAMAGED`
 */
export function selectPoint({ points, unreadable }: ListedPoints, text: string): PointHeader {
  // A portable file holds one point.
  const selector = portableFile(text) === null ? text : 'latest';
  refuseDamaged(points, unreadable, selector);
  if (points.length === 0) throw new AgentError('POINT_NOT_FOUND', 'the vault holds no restore point');
  if (selector === 'latest') return newest(points);
  const exact = points.find(({ id }) => id === selector);
  if (exact !== undefined) return exact;
  const found = points.filter((point) => matchesName(point, selector) || matchesPrefix(point, selector));
  if (found.length > 1) {
    const ids = found.slice(0, 5).map(({ id, createdAt }) => `${id} (${createdAt})`);
    throw new AgentError('POINT_AMBIGUOUS', `"${selector}" matches ${found.length} points: ${ids.join(', ')}`);
  }
  const only = found[0];
  if (only === undefined) throw new AgentError('POINT_NOT_FOUND', `no restore point of this vault matches "${selector}"`);
  return only;
}

function refuseDamaged(points: readonly PointHeader[], unreadable: readonly string[], selector: string): void {
  const newestTime = points.length === 0 ? '' : timeInName(newest(points).createdAt);
  const wanted = unreadable.find((name) => {
    // `…/<time>-<id>.adi`, as the vault's format names manifests.
    const [, time = '', id = ''] = /\/([0-9tz]+)-([0-9a-f]{32})\.a[df]i$/.exec(name) ?? [];
    if (selector === 'latest') return time > newestTime;
    return id === selector || (selector.length >= MIN_PREFIX && id.startsWith(selector.toLowerCase()));
  });
  if (wanted === undefined) return;
  const latest = selector === 'latest' ? 'the newest restore point cannot be read' : 'it cannot be read';
  throw new AgentError(
    'POINT_DAMAGED',
    `${latest}: ${wanted}; \`diskfleet points\` lists the sound ones, \`diskfleet verify\` says why`,
  );
}

function timeInName(createdAt: string): string {
  return createdAt.replace(/[-:.]/g, '').toLowerCase();
}

function newest(points: readonly PointHeader[]): PointHeader {
  return points.reduce((best, point) => (point.createdAt > best.createdAt ? point : best));
}

function matchesPrefix({ id }: PointHeader, selector: string): boolean {
  return selector.length >= MIN_PREFIX && id.startsWith(selector.toLowerCase());
}

/** Sources may hold slashes and `@`: the machine ends at the first slash, the time begins after the last `@`. */
function matchesName({ machineName, source, createdAt }: PointHeader, selector: string): boolean {
  const slash = selector.indexOf('/');
  const at = selector.lastIndexOf('@');
  if (slash < 0 || at < slash) return false;
  const time = selector.slice(at + 1);
  if (time.length < 4) return false;
  return selector.slice(0, slash) === machineName && selector.slice(slash + 1, at) === source && createdAt.startsWith(time);
}
