/** Cuts the entries of a map into pieces that fit into memory, so that the chunks of one can be read in the order they are stored in. */
import type { MapEntry } from '../types.ts';

/** At about 200 bytes an entry, 7 MB. */
const entriesPerWindow = 1 << 15;

/** All entries, in order, at most 32,768 at a time. */
export async function* mapWindows(entries: AsyncIterable<MapEntry>): AsyncIterable<MapEntry[]> {
  let window: MapEntry[] = [];
  for await (const entry of entries) {
    window.push(entry);
    if (window.length < entriesPerWindow) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}
