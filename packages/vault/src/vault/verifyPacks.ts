/** [F22] Packs: are they there, do they have their hash, does every chunk in them open. */
import { VaultError } from '../errors.ts';
import { type LocationTable, type Place, packObjectName } from '../index/locationTable.ts';
import { native } from '../native.ts';
import { readTrailer } from '../pack/layout.ts';
import { openPackKey, type PackKey, type ReaderKeys, RecordDecoder } from '../pack/recordDecoder.ts';
import type { Store } from '../types.ts';
import type { DamageList } from './damage.ts';

/** Places nothing can be read from, and the damaged object to blame. */
export class BadPlaces {
  private readonly packs = new Map<number, string>();
  private readonly chunks = new Map<string, string>();
  /** Object names of packs that are not there, which is damage when a point needs them. */
  readonly missing = new Set<string>();

  addPack(pack: number, object: string): void {
    this.packs.set(pack, object);
  }
  addPlace(place: Place, object: string): void {
    this.chunks.set(`${place.pack}:${place.offsetBytes}`, object);
  }
  blame(place: Place): string | null {
    return this.packs.get(place.pack) ?? this.chunks.get(`${place.pack}:${place.offsetBytes}`) ?? null;
  }
}

export interface PackCheck {
  readonly store: Store;
  readonly table: LocationTable;
  /** Null without the read capability. */
  readonly keys: ReaderKeys | null;
  readonly level: 'structure' | 'data' | 'content';
  readonly damage: DamageList;
  readonly bad: BadPlaces;
  /** Sizes of all objects below `packs/`. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Ordinals to look at; null = all, and packs no segment lists too. */
  readonly only: ReadonlySet<number> | null;
  readonly onObject: (sizeBytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** A pack larger than any we write is read into memory of its own, which is given back. */
const keptLaneBytes = 32 << 20;

export async function verifyPacks(check: PackCheck): Promise<void> {
  const { table, sizes } = check;
  const listed = new Map<string, { ordinal: number; sizeBytes: number }>();
  for (let ordinal = 0; ordinal < table.packCount; ordinal += 1) {
    const row = table.pack(ordinal);
    const name = packObjectName(row.name);
    if (check.only !== null && !check.only.has(ordinal)) continue;
    // Not in the listing: it may have been stored since, by a backup that is running now.
    const size = sizes.get(name) ?? (await check.store.head(name))?.sizeBytes;
    const problem =
      size === undefined ? 'it is missing' : size !== row.sizeBytes ? `it has ${size} bytes instead of ${row.sizeBytes}` : null;
    if (problem !== null) {
      // Sweeping leaves segments behind that list what is gone. Who can walk the maps sees whether a point needs it.
      if (size === undefined && check.keys !== null) check.bad.missing.add(name);
      else check.damage.add(name, problem);
      check.bad.addPack(ordinal, name);
    }
    if (size !== undefined) listed.set(name, { ordinal, sizeBytes: size });
  }
  if (check.level === 'structure') return;
  const unlisted = check.only === null ? [...sizes].filter(([name]) => !listed.has(name)) : [];
  const decoder = check.keys === null ? null : new PackDecoder(check.keys);
  const slots = table.slotsByPack();
  const jobs = [
    ...[...listed].map(([name, { ordinal, sizeBytes }]) => ({ name, sizeBytes, ordinal, chunks: () => slots(ordinal) })),
    ...unlisted.map(([name, sizeBytes]) => ({ name, sizeBytes, ordinal: null, chunks: () => [] })),
  ];
  try {
    await inLanes(jobs, check.signal, async (job, lane) => {
      await verifyPack(check, { ...job, chunks: job.chunks(), decoder, lane });
      check.onObject(sizes.get(job.name) ?? 0);
    });
  } finally {
    decoder?.close();
  }
}

/** Memory for one pack, used again for the next. */
interface Lane {
  bytes: Buffer;
}

/** Packs under way at once: while one is looked into here, others are read and hashed by the thread pool. */
const laneCount = 3;

/** Does all `jobs`, some at once; when one fails the others under way are waited for, since they use memory and store. */
async function inLanes<T>(
  jobs: Iterable<T>,
  signal: AbortSignal | undefined,
  work: (job: T, lane: Lane) => Promise<void>,
): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  let failed = false;
  const runLane = async () => {
    const lane = { bytes: Buffer.alloc(0) };
    for (let next = queue.next(); !next.done && !failed; next = queue.next()) {
      try {
        signal?.throwIfAborted();
        await work(next.value, lane);
      } catch (cause) {
        failed = true;
        throw cause;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: laneCount }, runLane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

interface OnePack {
  readonly name: string;
  readonly sizeBytes: number;
  readonly ordinal: number | null;
  readonly decoder: PackDecoder | null;
  readonly chunks: readonly { idStart: Buffer; place: Place }[];
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
    if (pack.ordinal !== null) bad.addPack(pack.ordinal, pack.name);
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
    bad.addPlace(place, object);
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
