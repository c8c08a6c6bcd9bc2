/**
 * One thread of a restore: takes the next group of chunks by a shared counter, has them read and decoded in storage order, gathers
 * what is adjacent on the target into one large aligned buffer, and writes (or compares) it in one go.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { alignedBuffer } from '@diskfleet/disk';
import { openChunkReader } from '@diskfleet/vault';
import { ID_BYTES } from '../backup/cellTable.ts';
import { EngineError } from '../errors.ts';
import { isStopped, takeNext } from '../threads/control.ts';
import { packError } from '../threads/threadErrors.ts';
import { RUN_FIELDS } from './batches.ts';
import { MatchHabit } from './matchHabit.ts';
import { RESTORE_COUNTERS, type RestoreCounter, type RestoreJob, type RestoreReport } from './restoreJob.ts';
import { TargetFile } from './targetFile.ts';
import { TargetLook } from './targetLook.ts';

const BUFFER_BYTES = 4 * 1024 * 1024;

/** Gathers adjacent bytes, then writes or compares them. */
class Gatherer {
  readonly #job: RestoreJob;
  readonly #file: TargetFile;
  readonly #counters: Float64Array;
  readonly #buffer = alignedBuffer(BUFFER_BYTES);
  readonly #there = alignedBuffer(BUFFER_BYTES);
  #start = 0;
  #length = 0;

  constructor(job: RestoreJob, file: TargetFile) {
    this.#job = job;
    this.#file = file;
    this.#counters = new Float64Array(job.counters, job.thread * RESTORE_COUNTERS * 8, RESTORE_COUNTERS);
  }

  /** A map may use chunks of any length: what does not fit the buffer goes in parts. */
  put(offsetBytes: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += BUFFER_BYTES) {
      const part = bytes.subarray(at, at + BUFFER_BYTES);
      const adjacent = offsetBytes + at === this.#start + this.#length;
      if (!adjacent || this.#length + part.length > BUFFER_BYTES) {
        this.flush();
        this.#start = offsetBytes + at;
      }
      this.#buffer.set(part, this.#length);
      this.#length += part.length;
    }
  }

  flush(): void {
    if (this.#length === 0) return;
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    if (this.#job.mode === 'compare') {
      if (!this.#isThere(bytes)) throw this.#differs(bytes);
      this.count(2, bytes.length);
      return;
    }
    this.#file.write(bytes, this.#start);
    this.count(0, bytes.length);
  }

  #isThere(bytes: Uint8Array): boolean {
    const there = this.#there.subarray(0, bytes.length);
    this.#file.read(there, this.#start);
    return there.equals(bytes);
  }

  #differs(bytes: Uint8Array): EngineError {
    const first = bytes.findIndex((byte, index) => byte !== this.#there[index]);
    const text = `${this.#job.target.name} gave back other bytes than were written, first at byte ${this.#start + first}: the disk is not to be trusted`;
    return new EngineError('COMPARE_FAILED', text);
  }

  count(counter: RestoreCounter, bytes: number): void {
    this.#counters[counter] = (this.#counters[counter] ?? 0) + bytes;
  }
}

async function run(job: RestoreJob): Promise<void> {
  const file = new TargetFile(job.target.path, job.target.name);
  const reader = await openChunkReader(job.seed);
  const gatherer = new Gatherer(job, file);
  const look = job.mode === 'update' ? new TargetLook(job, file) : null;
  const habit = new MatchHabit();
  const groupCount = job.batch.groups.length - 1;
  try {
    while (!isStopped(job.control)) {
      const group = takeNext(job.control);
      if (group >= groupCount) break;
      const wanted: number[] = [];
      for (const chunk of chunksOf(job, group, look)) {
        const there = look !== null && habit.worthLooking() && habit.learn(look.holds(chunk));
        if (there) {
          gatherer.count(1, bytesOf(job, chunk));
          job.found[chunk] = 1;
        } else wanted.push(chunk);
      }
      wanted.sort((left, right) => left - right);
      const ids = wanted.map((chunk) => idAt(job.batch.ids, chunk));
      await reader.readChunks(ids, placer(job, wanted, gatherer));
      gatherer.flush();
    }
  } finally {
    await reader.close();
    file.close();
  }
}

/** Looked at, they come in the order of the target; they are fetched in the order of the vault. */
function chunksOf({ batch }: RestoreJob, group: number, look: TargetLook | null): number[] {
  const [first, end] = [batch.groups[group] ?? 0, batch.groups[group + 1] ?? 0];
  return look?.begin(first, end) ?? Array.from({ length: end - first }, (_, index) => first + index);
}

/** How much of the target a chunk fills, in all its places. */
function bytesOf({ batch }: RestoreJob, chunk: number): number {
  let bytes = 0;
  for (let run = batch.firstRun[chunk] ?? 0; run < (batch.firstRun[chunk + 1] ?? 0); run++) {
    bytes += batch.runs[run * RUN_FIELDS + 2] ?? 0;
  }
  return bytes;
}

function idAt(ids: Uint8Array, chunk: number): Buffer {
  return Buffer.from(ids.buffer, ids.byteOffset + chunk * ID_BYTES, ID_BYTES);
}

/** Puts each chunk where it belongs. Chunks come in storage order, which is ours; a chunk out of order is looked up. */
function placer({ batch, control }: RestoreJob, wanted: readonly number[], gatherer: Gatherer) {
  let expected = 0;
  return (id: Uint8Array, plain: Uint8Array) => {
    if (isStopped(control)) throw new EngineError('CANCELLED', 'the run was cancelled', { retry: 'later' });
    let tries = 0;
    while (!idAt(batch.ids, wanted[expected] ?? 0).equals(id)) {
      if (tries++ >= wanted.length) throw new EngineError('WORKER_FAILED', 'a chunk came that was not asked for');
      expected = (expected + 1) % wanted.length;
    }
    const chunk = wanted[expected] ?? 0;
    expected = (expected + 1) % wanted.length;
    for (let run = batch.firstRun[chunk] ?? 0; run < (batch.firstRun[chunk + 1] ?? 0); run++) {
      const from = batch.runs[run * RUN_FIELDS + 1] ?? 0;
      const length = batch.runs[run * RUN_FIELDS + 2] ?? 0;
      if (from + length > plain.length) {
        throw new EngineError('WORKER_FAILED', `a chunk of ${plain.length} bytes is shorter than the map says`);
      }
      gatherer.put(batch.runs[run * RUN_FIELDS] ?? 0, plain.subarray(from, from + length));
    }
  };
}

function report(message: RestoreReport): void {
  parentPort?.postMessage(message);
}

const job: RestoreJob = workerData;
run(job).then(
  () => report({ kind: 'done' }),
  (error) => report({ kind: 'failed', error: packError(error) }),
);
