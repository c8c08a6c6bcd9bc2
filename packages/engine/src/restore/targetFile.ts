/**
 * Synchronous access of one worker thread to the target. Aligned pieces go past the page cache (a tenth of the CPU time, and a
 * comparison then reads the medium and not our own memory); ragged ones, and targets that take no O_DIRECT, go through it.
 *
 * The main thread holds the target exclusively; threads open it by path beside that.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { DiskError } from '@diskfleet/disk';

const ALIGN_BYTES = 4096;

export class TargetFile {
  readonly #name: string;
  readonly #cached: number;
  #direct: number | null;

  constructor(path: string, name: string) {
    this.#name = name;
    this.#cached = openSync(path, constants.O_RDWR);
    this.#direct = openDirect(path);
  }

  /** `bytes` must begin at a page border to go past the cache. @throws DiskError `DISK_WRITE_FAILED`, `DISK_FULL` */
  write(bytes: Uint8Array, offsetBytes: number): void {
    const call = (file: number, done: number) => writeSync(file, bytes, done, bytes.length - done, offsetBytes + done);
    this.#all(call, { lengthBytes: bytes.length, offsetBytes }, (error) => {
      const full = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT';
      const code = full ? 'DISK_FULL' : 'DISK_WRITE_FAILED';
      return new DiskError(code, `${this.#name} cannot be written at byte ${offsetBytes}: ${textOf(error)}`, { cause: error });
    });
  }

  /** What the medium holds, past the cache where possible. @throws DiskError `DISK_READ_FAILED` */
  read(bytes: Uint8Array, offsetBytes: number): void {
    const call = (file: number, done: number) => readSync(file, bytes, done, bytes.length - done, offsetBytes + done);
    this.#all(call, { lengthBytes: bytes.length, offsetBytes }, (error) => {
      return new DiskError('DISK_READ_FAILED', `${this.#name} cannot be read back at byte ${offsetBytes}: ${textOf(error)}`, {
        cause: error,
      });
    });
  }

  close(): void {
    closeSync(this.#cached);
    if (this.#direct !== null) closeSync(this.#direct);
  }

  #all(
    call: (file: number, done: number) => number,
    { lengthBytes, offsetBytes }: { readonly lengthBytes: number; readonly offsetBytes: number },
    failed: (error: unknown) => DiskError,
  ): void {
    let done = 0;
    while (done < lengthBytes) {
      const aligned =
        (offsetBytes + done) % ALIGN_BYTES === 0 && (lengthBytes - done) % ALIGN_BYTES === 0 && done % ALIGN_BYTES === 0;
      const direct = aligned ? this.#direct : null;
      try {
        const count = call(direct ?? this.#cached, done);
        if (count === 0) throw failed(new Error('the medium ended'));
        done += count;
      } catch (error) {
        if (error instanceof DiskError) throw error;
        if (direct === null || codeOf(error) !== 'EINVAL') throw failed(error);
        closeSync(direct);
        this.#direct = null;
      }
    }
  }
}

function openDirect(path: string): number | null {
  try {
    return constants.O_DIRECT === undefined ? null : openSync(path, constants.O_RDWR | constants.O_DIRECT);
  } catch {
    return null;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
