/** Paths inside a disk image: `/` lists partitions, `/2` is the root of partition 2, `/2/usr/bin` a folder in it. */

/** Segments of the address bar → path. Segments arrive percent-encoded, once. */
export function pathFromSegments(segments: readonly string[] | undefined): string {
  if (!segments || segments.length === 0) return '/';
  return `/${segments.map(decodeOnce).join('/')}`;
}

export function exploreHref(pointId: string, disk: number, path: string): string {
  const tail = splitPath(path).map(encodeURIComponent);
  return ['/explore', encodeURIComponent(pointId), String(disk), ...tail].join('/');
}

export function downloadHref(pointId: string, disk: number, path: string): string {
  return `/api/download/file?${new URLSearchParams({ point: pointId, disk: String(disk), path })}`;
}

export function childPath(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

export function parentPath(path: string): string {
  return `/${splitPath(path).slice(0, -1).join('/')}`;
}

export function splitPath(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

function decodeOnce(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export type SortKey = 'name' | 'size' | 'modified';
interface Sortable {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly modifiedAt: string | null;
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Folders first, whichever way; names as people count (`file2` before `file10`). */
export function sortEntries<E extends Sortable>(entries: readonly E[], key: SortKey, descending: boolean): E[] {
  const rank = (entry: E) => (entry.type === 'partition' || entry.type === 'directory' ? 0 : 1);
  const compare = (a: E, b: E) => {
    if (key === 'size') return a.sizeBytes - b.sizeBytes;
    if (key === 'modified') return (a.modifiedAt ?? '').localeCompare(b.modifiedAt ?? '');
    return collator.compare(a.name, b.name);
  };
  return [...entries].sort(
    (a, b) => rank(a) - rank(b) || (descending ? -compare(a, b) : compare(a, b)) || collator.compare(a.name, b.name),
  );
}
