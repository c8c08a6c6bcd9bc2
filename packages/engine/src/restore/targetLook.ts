/**
 * Finds out by hash which chunks the target holds already: they need not be fetched, decoded or written, so rolling a disk back costs
 * little more than reading it. A chunk counts as there only if its whole plain bytes, put together from the places of the target the map
 * names (and zeros where it names none), have its id.
 */
import { chunkHasher } from '@diskfleet/vault';
import { ID_BYTES } from '../backup/cellTable.ts';
import { type Batch, RUN_FIELDS } from './batches.ts';
import type { RestoreJob } from './restoreJob.ts';
import type { TargetFile } from './targetFile.ts';
import { type Range, TargetWindows } from './targetWindows.ts';

const LARGEST_CHUNK_BYTES = 1024 * 1024;
/** A chunk that is in more places is fetched once and compared by nobody: looking would cost more than it saves. */
const MOST_RUNS = 64;

export class TargetLook {
  readonly #batch: Batch;
  readonly #windows: TargetWindows;
  readonly #endBytes: number;
  readonly #hash: ReturnType<typeof chunkHasher>;
  readonly #buffer = Buffer.alloc(LARGEST_CHUNK_BYTES);
  readonly #id = Buffer.alloc(ID_BYTES);

  constructor({ batch, target, seed: { keys, vaultId, idAlgorithm } }: RestoreJob, file: TargetFile) {
    this.#batch = batch;
    this.#windows = new TargetWindows((bytes, offsetBytes) => file.read(bytes, offsetBytes));
    this.#endBytes = target.sizeBytes;
    this.#hash = chunkHasher({ idKey: keys.idKey, vaultId, idAlgorithm }, 'data');
  }

  /** The chunks that will be asked about next, in the order in which they lie on the target. */
  begin(first: number, end: number): number[] {
    const { firstRun, runs } = this.#batch;
    const ranges: Range[] = [];
    for (let run = firstRun[first] ?? 0; run < (firstRun[end] ?? 0); run++) {
      const from = runs[run * RUN_FIELDS] ?? 0;
      ranges.push({ from, to: from + (runs[run * RUN_FIELDS + 2] ?? 0) });
    }
    this.#windows.begin(ranges, this.#endBytes);
    const placeOf = (chunk: number) => runs[(firstRun[chunk] ?? 0) * RUN_FIELDS] ?? 0;
    return Array.from({ length: end - first }, (_, index) => first + index).sort((left, right) => placeOf(left) - placeOf(right));
  }

  /** Whether every place of the chunk on the target has its bytes. */
  holds(chunk: number): boolean {
    const { firstRun, plainBytes, ids } = this.#batch;
    const [first, end] = [firstRun[chunk] ?? 0, firstRun[chunk + 1] ?? 0];
    const length = plainBytes[chunk] ?? 0;
    if (end - first > MOST_RUNS || length > LARGEST_CHUNK_BYTES) return false;
    const id = ids.subarray(chunk * ID_BYTES, (chunk + 1) * ID_BYTES);
    let runs = Array.from({ length: end - first }, (_, index) => first + index);
    while (runs.length > 0) {
      const later = this.#gather(runs, length);
      if (later === null) return false;
      this.#hash(this.#buffer.subarray(0, length), this.#id);
      if (this.#id.compare(id) !== 0) return false;
      runs = later;
    }
    return true;
  }

  /** Puts one copy of the chunk together; gives back the runs that belong to further copies. Null: the map is odd. */
  #gather(runs: readonly number[], length: number): number[] | null {
    const later: number[] = [];
    const taken: { from: number; to: number }[] = [];
    for (const run of runs) {
      const from = this.#batch.runs[run * RUN_FIELDS + 1] ?? 0;
      const to = from + (this.#batch.runs[run * RUN_FIELDS + 2] ?? 0);
      if (to > length) return null;
      if (taken.some((other) => from < other.to && to > other.from)) later.push(run);
      else taken.push({ from, to });
    }
    const covered = taken.reduce((total, { from, to }) => total + to - from, 0);
    if (covered < length) this.#buffer.fill(0, 0, length);
    for (const run of runs) {
      if (later.includes(run)) continue;
      const from = this.#batch.runs[run * RUN_FIELDS + 1] ?? 0;
      const lengthBytes = this.#batch.runs[run * RUN_FIELDS + 2] ?? 0;
      this.#windows.copy(this.#batch.runs[run * RUN_FIELDS] ?? 0, this.#buffer.subarray(from, from + lengthBytes));
    }
    return later;
  }
}
