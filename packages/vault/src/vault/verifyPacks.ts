/** [F22] Packs: are they there, do they have their hash, does every chunk in them open. */
import { VaultError } from '../errors.ts';
import { entryBytes } from '../index/entry.ts';
import type { KnownChunks } from '../index/knownChunks.ts';
import type { NamedSegment } from '../index/liveSegments.ts';
import { type Place, packObjectName } from '../index/locationTable.ts';
import { packRowAt, packRowBytes, packsOfSegment } from '../index/segment.ts';
import { native } from '../native.ts';
import { readTrailer } from '../pack/layout.ts';
import { openPackKey, type PackKey, type ReaderKeys, RecordDecoder } from '../pack/recordDecoder.ts';
import type { SealedPack, Store } from '../types.ts';
import type { DamageList } from './damage.ts';
import { isListed, isPackHash, packKey } from './knownForRun.ts';

/** Places nothing can be read from, and the damaged object to blame. */
export class BadPlaces {
  private readonly packs = new Map<string, string>();
  private readonly chunks = new Map<string, string>();
  /** Object names of packs that are not there, which is damage when a point needs them. */
  readonly missing = new Set<string>();

  get isEmpty(): boolean {
    return this.packs.size + this.chunks.size === 0;
  }
  /** @param pack hex name */
  addPack(pack: string, object: string): void {
    this.packs.set(pack, object);
  }
  addPlace(pack: string, offsetBytes: number, object: string): void {
    this.chunks.set(`${pack}:${offsetBytes}`, object);
  }
  blame(pack: string, offsetBytes: number): string | null {
    return this.packs.get(pack) ?? (this.chunks.size === 0 ? undefined : this.chunks.get(`${pack}:${offsetBytes}`)) ?? null;
  }
}

export interface PackCheck {
  readonly store: Store;
  /** Null without the read capability. */
  readonly keys: ReaderKeys | null;
  readonly level: 'structure' | 'data' | 'content';
  readonly damage: DamageList;
  readonly bad: BadPlaces;
  /** What the store listed below `packs/`; marked here when looked at. */
  readonly present: KnownChunks;
  /** Hex names of packs to look at; null = all, and packs no segment lists too. */
  readonly only: ReadonlySet<string> | null;
  readonly onObject: (sizeBytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** A pack larger than any we write is read into memory of its own, which is given back. */
const keptLaneBytes = 32 << 20;

/** Looks at the packs in the order segments list them, so that one segment's entries are in memory and no more. */
export async function verifyPacks(check: PackCheck, segments: AsyncIterable<NamedSegment>): Promise<void> {
  const decoder = check.keys === null ? null : new PackDecoder(check.keys);
  try {
    await inLanes(packsToRead(check, segments), check.signal, async (job, lane) => {
      await verifyPack(check, { ...job, chunks: job.chunks(), decoder, lane });
      check.onObject(job.sizeBytes);
    });
  } finally {
    decoder?.close();
  }
}

interface PackJob {
  /** Of the object. */
  readonly name: string;
  /** Hex; null for a pack no segment lists. */
  readonly listed: string | null;
  readonly sizeBytes: number;
  readonly chunks: () => ListedChunk[];
}

interface ListedChunk {
  readonly idStart: Buffer;
  readonly place: Place;
}

async function* packsToRead(check: PackCheck, segments: AsyncIterable<NamedSegment>): AsyncGenerator<PackJob> {
  const { present, only, level } = check;
  for await (const { segment } of segments) {
    let packs: SealedPack[] | null = null;
    for (let ordinal = 0; ordinal * packRowBytes < segment.packTable.length; ordinal += 1) {
      const row = packRowAt(segment.packTable, ordinal);
      if (only !== null && !only.has(row.name)) continue;
      const size = await sizeOf(check, segment.packTable, ordinal);
      if (size === null || level === 'structure' || present.isMarked(packKey(row.name, size))) continue;
      present.mark(packKey(row.name, size));
      // A copy: the segment's memory is used again while packs are looked into.
      packs ??= packsOfSegment(segment);
      const entries = packs[ordinal]?.entries ?? new Uint8Array();
      yield { name: packObjectName(row.name), listed: row.name, sizeBytes: size, chunks: () => chunksOf(entries) };
    }
  }
  if (only !== null || level === 'structure') return;
  for await (const { name, sizeBytes } of check.store.list('packs/')) {
    const hash = name.slice(name.lastIndexOf('/') + 1);
    if (isPackHash(hash) && present.isMarked(packKey(hash, sizeBytes))) continue;
    yield { name, listed: null, sizeBytes, chunks: () => [] };
  }
}

/** The pack's size, or null when it is gone; notes what is wrong with it. */
async function sizeOf(check: PackCheck, packTable: Buffer, ordinal: number): Promise<number | null> {
  const { present, damage, bad } = check;
  const row = packRowAt(packTable, ordinal);
  if (isListed(present, packTable, ordinal * packRowBytes)) return row.sizeBytes;
  const name = packObjectName(row.name);
  // Not in the listing: it may have been stored since, by a backup that is running now.
  const size = (await check.store.head(name))?.sizeBytes ?? null;
  if (size === row.sizeBytes) return size;
  bad.addPack(row.name, name);
  // Sweeping leaves segments behind that list what is gone. Who can walk the maps sees whether a point needs it.
  if (size === null && check.keys !== null) bad.missing.add(name);
  else damage.add(name, size === null ? 'it is missing' : `it has ${size} bytes instead of ${row.sizeBytes}`);
  return size;
}

function chunksOf(listed: Uint8Array): ListedChunk[] {
  const entries = Buffer.from(listed.buffer, listed.byteOffset, listed.length);
  const chunks = Array.from({ length: entries.length / entryBytes }, (_, index) => {
    const at = index * entryBytes;
    const [offsetBytes, recordBytes, lengthWord] = [36, 40, 44].map((field) => entries.readUInt32LE(at + field));
    const place = { pack: 0, offsetBytes: offsetBytes ?? 0, recordBytes: recordBytes ?? 0, lengthWord: lengthWord ?? 0 };
    return { idStart: entries.subarray(at, at + 16), place };
  });
  return chunks.sort((a, b) => a.place.offsetBytes - b.place.offsetBytes);
}

/** Memory for one pack, used again for the next. */
interface Lane {
  bytes: Buffer;
}

/** Packs under way at once: while one is looked into here, others are read and hashed by the thread pool. */
const laneCount = 3;

/** Does all `jobs`, some at once; when one fails the others under way are waited for, since they use memory and store. */
async function inLanes<T>(
  jobs: AsyncGenerator<T>,
  signal: AbortSignal | undefined,
  work: (job: T, lane: Lane) => Promise<void>,
): Promise<void> {
  let failed = false;
  const runLane = async () => {
    const lane = { bytes: Buffer.alloc(0) };
    for (;;) {
      try {
        const next = await jobs.next();
        if (next.done || failed) return;
        signal?.throwIfAborted();
        await work(next.value, lane);
      } catch (cause) {
        failed = true;
        throw cause;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: laneCount }, runLane));
  await jobs.return(undefined);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

interface OnePack {
  readonly name: string;
  readonly sizeBytes: number;
  readonly listed: string | null;
  readonly decoder: PackDecoder | null;
  readonly chunks: readonly ListedChunk[];
  readonly lane: Lane;
}

async function readPack(store: Store, { name, sizeBytes, lane }: OnePack): Promise<Buffer> {
  if (store.readInto === undefined || sizeBytes > keptLaneBytes) return store.get(name);
  if (lane.bytes.length < sizeBytes) lane.bytes = Buffer.allocUnsafeSlow(sizeBytes);
  const target = lane.bytes.subarray(0, sizeBytes);
  await store.readInto(name, 0, target);
  return target;
}

async function verifyPack(check: PackCheck, pack: OnePack): Promise<void> {
  const { damage, bad } = check;
  const lose = (problem: string) => {
    damage.add(pack.name, problem);
    if (pack.listed !== null) bad.addPack(pack.listed, pack.name);
  };
  let bytes: Buffer;
  try {
    bytes = await readPack(check.store, pack);
  } catch (cause) {
    if (!(cause instanceof VaultError) || cause.retry === 'later') throw cause;
    return lose(`it cannot be read: ${cause.message}`);
  }
  const sound = pack.name.endsWith(`/${(await native().sha256(bytes)).toString('hex')}`);
  if (!sound) damage.add(pack.name, 'its bytes do not have the hash it is named by');
  else checkTrailer(bytes, pack, damage);
  if (pack.decoder === null || check.keys === null) {
    if (!sound) lose('its bytes do not have the hash it is named by');
    return;
  }
  // A pack with a wrong byte is looked into at any level: most of its chunks are sound.
  if (sound && check.level === 'data') return;
  let packKey: PackKey;
  try {
    packKey = openPackKey(bytes, pack.name, check.keys);
  } catch (cause) {
    return lose(cause instanceof Error ? cause.message : 'its key does not open');
  }
  for (const { idStart, place } of pack.chunks) {
    const problem = pack.decoder.problemAt({ bytes, idStart, place, packKey, packName: pack.name });
    if (problem === null) continue;
    const object = sound ? `chunk ${idStart.toString('hex')}…` : pack.name;
    damage.add(object, problem);
    bad.addPlace(pack.listed ?? '', place.offsetBytes, object);
  }
}

function checkTrailer(bytes: Buffer, pack: OnePack, damage: DamageList): void {
  try {
    const places = new Set(
      readTrailer(bytes, pack.name).map(
        (entry) => `${entry.id.toString('hex', 0, 16)} ${entry.offsetBytes} ${entry.recordBytes}`,
      ),
    );
    for (const { idStart, place } of pack.chunks) {
      if (!places.has(`${idStart.toString('hex')} ${place.offsetBytes} ${place.recordBytes}`)) {
        damage.add(`chunk ${idStart.toString('hex')}…`, `the index says it is in ${pack.name}, the pack's own table does not`);
      }
    }
  } catch (cause) {
    damage.add(pack.name, cause instanceof Error ? cause.message : 'its trailer is damaged');
  }
}

/** Decodes chunks only to see whether they are sound; all share one target. */
class PackDecoder {
  private readonly decoder: RecordDecoder;
  private plain = Buffer.alloc(0);

  constructor(keys: ReaderKeys) {
    this.decoder = new RecordDecoder(keys);
  }

  problemAt(input: { bytes: Buffer; idStart: Buffer; place: Place; packKey: PackKey; packName: string }): string | null {
    const { place } = input;
    const record = input.bytes.subarray(place.offsetBytes, place.offsetBytes + place.recordBytes);
    try {
      this.decoder.decode({ record, id: input.idStart, packKey: input.packKey, packName: input.packName }, (plainBytes) => {
        if (plainBytes > keptLaneBytes) return Buffer.allocUnsafeSlow(plainBytes);
        if (this.plain.length < plainBytes) this.plain = Buffer.allocUnsafeSlow(plainBytes);
        return this.plain.subarray(0, plainBytes);
      });
      return null;
    } catch (cause) {
      if (cause instanceof VaultError && cause.code === 'CHUNK_DAMAGED') return cause.message;
      throw cause;
    }
  }

  close(): void {
    this.decoder.close();
  }
}
