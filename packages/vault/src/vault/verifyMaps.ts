/** [F22] Which ranges of which points are hurt by what. Finds every chunk's places, so it is slower than `mapsAreSound.ts`, which says whether to look. */
import { VaultError } from '../errors.ts';
import type { MapOfDisk } from '../gc/walkPoints.ts';
import type { Place } from '../index/locationTable.ts';
import { type ChildId, pageBytes, regionBytes } from '../map/mapNodes.ts';
import { type DiskMap, openMap } from '../map/savedDisk.ts';
import type { StoredChunkReader } from '../pack/chunkReader.ts';
import type { DamageList } from './damage.ts';
import type { VaultIndex } from './vaultIndex.ts';
import type { BadPlaces } from './verifyPacks.ts';

const lookedUpAtOnce = 1 << 15;

export interface MapCheck {
  readonly reader: StoredChunkReader;
  readonly index: VaultIndex;
  readonly damage: DamageList;
  readonly bad: BadPlaces;
  /** Leaves found sound in this run: shared by many points, walked once. */
  readonly soundLeaves: Set<string>;
  readonly signal: AbortSignal | undefined;
  /** Told of every pack that is needed, by its hex name. */
  readonly onPack?: (pack: string) => void;
}

export interface DiskOfPoint {
  readonly pointId: string;
  readonly disk: number;
  readonly info: MapOfDisk;
}

export async function verifyMap(check: MapCheck, of: DiskOfPoint): Promise<void> {
  const whole = { ...of, from: 0, to: of.info.sizeBytes };
  const map = await attempt(check, { id: Buffer.from(of.info.mapRootId, 'hex'), range: whole }, () =>
    openMap(of.info, (id) => readNode(check, id)),
  );
  for (const page of map?.pages ?? []) {
    check.signal?.throwIfAborted();
    await verifyPage(check, of, { map, page });
  }
}

async function verifyPage(check: MapCheck, of: DiskOfPoint, at: { map: DiskMap | null; page: ChildId }): Promise<void> {
  const { map, page } = at;
  const from = page.index * pageBytes;
  const pageRange = { ...of, from, to: Math.min(of.info.sizeBytes, from + pageBytes) };
  const leaves = map === null ? null : await attempt(check, { id: page.id, range: pageRange }, () => map.pageLeaves(page.index));
  for (const { region, id } of leaves ?? []) {
    const key = id.toString('latin1');
    if (check.soundLeaves.has(key)) continue;
    const start = region * regionBytes;
    const range = { ...of, from: start, to: Math.min(of.info.sizeBytes, start + regionBytes) };
    const sound = await verifyLeaf(check, { map, region, id, range });
    if (sound) check.soundLeaves.add(key);
  }
}

type Range = DiskOfPoint & { readonly from: number; readonly to: number };

async function verifyLeaf(
  check: MapCheck,
  leaf: { map: DiskMap | null; region: number; id: Buffer; range: Range },
): Promise<boolean> {
  const { map, region, range } = leaf;
  if (map === null) return false;
  const entries = await attempt(check, { id: leaf.id, range }, () => map.leaf(region));
  if (entries === null) return false;
  let sound = true;
  for (const [at, entry] of entries.entries()) {
    if (at % lookedUpAtOnce === 0)
      await check.index.lookUp(entries.slice(at, at + lookedUpAtOnce).flatMap(({ chunk }) => chunk ?? []));
    if (entry.chunk === null) continue;
    const from = region * regionBytes + entry.at;
    const needed = entry.chunkOffset + entry.length;
    if (!checkChunk(check, entry.chunk, { range: { ...range, from, to: from + entry.length }, needed })) sound = false;
  }
  return sound;
}

/** False when no sound copy of the chunk is known. */
function checkChunk(check: MapCheck, id: Buffer, use: { range: Range; needed: number }): boolean {
  const places = check.index.places.places(id);
  const blames: string[] = [];
  for (const place of places) {
    check.onPack?.(packOf(check, place));
    const blame = check.bad.blame(packOf(check, place), place.offsetBytes);
    if (blame === null && (place.lengthWord & 0x0fffffff) >= use.needed) return true;
    if (blame !== null) blames.push(blame);
  }
  const object = blames[0] ?? `chunk ${id.toString('hex')}`;
  const problem = places.length === 0 ? 'no sound index segment says where it is' : 'it is shorter than the map says';
  check.damage.add(object, check.bad.missing.has(object) ? 'it is missing' : problem);
  check.damage.hit(object, use.range);
  return false;
}

function packOf(check: MapCheck, place: Place): string {
  return check.index.places.pack(place.pack).name;
}

async function readNode(check: MapCheck, id: Uint8Array): Promise<Buffer> {
  await check.index.lookUp([id]);
  for (const place of check.index.places.places(Buffer.from(id))) check.onPack?.(packOf(check, place));
  return check.reader.readChunk(id);
}

/** Runs a step that reads a map node; when the node is lost, everything it covers is. */
async function attempt<T>(check: MapCheck, node: { id: Buffer; range: Range }, step: () => Promise<T>): Promise<T | null> {
  try {
    return await step();
  } catch (cause) {
    const expected = ['CHUNK_DAMAGED', 'CHUNK_MISSING', 'POINT_DAMAGED'];
    if (!(cause instanceof VaultError) || !expected.includes(cause.code)) throw cause;
    const place = check.index.places.places(node.id)[0];
    const blame = place === undefined ? null : check.bad.blame(packOf(check, place), place.offsetBytes);
    const { pointId, disk, from, to } = node.range;
    const object = blame ?? `chunk ${node.id.toString('hex')}`;
    check.damage.add(object, cause.message);
    check.damage.hit(object, { pointId, disk, from, to });
    return null;
  }
}
