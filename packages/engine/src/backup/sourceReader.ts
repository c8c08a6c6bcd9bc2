/**
 * Synchronous reads of one source for one worker thread: large, aligned, past the page cache on block devices (whose cache is
 * not coherent with a mounted filesystem's), through it on regular files.
 *
 * A read that fails is tried again sector by sector: drives often give back all but one sector of a bad track. What still cannot
 * be read is an error that names the place: a backup never turns bad sectors into silent zeros.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { EngineError } from '../errors.ts';
import { SourceReadError } from '../threads/threadErrors.ts';
import type { HoleFinder } from './holes.ts';

/** O_DIRECT wants offsets and lengths in units of the physical block; 4096 suits every drive. */
const ALIGN_BYTES = 4096;

/** Told to the thread by `backup()`; `name` is for messages. */
export interface SourceToRead {
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
}

export class SourceReader {
  readonly #source: SourceToRead;
  readonly #disk: number;
  #file: number;
  #direct: boolean;
  readonly #holes: Pick<HoleFinder, 'nextData'> | null;

  constructor(source: SourceToRead, disk: number, holes: Pick<HoleFinder, 'nextData'>) {
    this.#source = source;
    this.#disk = disk;
    this.#file = openSync(source.path, constants.O_RDONLY);
    this.#direct = false;
    const isBlockDevice = fstatSync(this.#file).isBlockDevice();
    this.#holes = isBlockDevice ? null : holes;
    if (isBlockDevice && constants.O_DIRECT !== undefined) this.#reopen(true);
  }

  /** True when the file is known to hold nothing but a hole there. @throws EngineError `SOURCE_CHANGED_SIZE` */
  isHole(range: { from: number; to: number }): boolean {
    if (this.#holes === null || this.#holes.nextData(this.#file, range.from) < range.to) return false;
    this.checkSize();
    return true;
  }

  /** Behind the end of a file there is only hole too: makes sure this is not because it shrank. @throws EngineError `SOURCE_CHANGED_SIZE` */
  checkSize(): void {
    if (this.#holes === null) return;
    const { size } = fstatSync(this.#file);
    if (size < this.#source.sizeBytes) throw this.#ended(size);
  }

  /**
   * Reads at least bytes `from..to` of the source into `target`, where byte 0 of `target` is byte `base` of the source.
   * `target` must be page-aligned, `base` a multiple of 4096.
   * @returns bytes read from the medium
   */
  read(target: Buffer, base: number, range: { from: number; to: number }): number {
    const from = range.from - (range.from % ALIGN_BYTES);
    const to = Math.min(Math.ceil(range.to / ALIGN_BYTES) * ALIGN_BYTES, this.#source.sizeBytes);
    try {
      this.#readAll(target, from - base, from, to - from);
    } catch (error) {
      if (!isIoError(error)) throw error;
      this.#readBySector(target, base, { from, to });
    }
    return to - from;
  }

  close(): void {
    closeSync(this.#file);
  }

  #readBySector(target: Buffer, base: number, range: { from: number; to: number }): void {
    const { sectorBytes, name } = this.#source;
    for (let at = range.from; at < range.to; at += sectorBytes) {
      try {
        this.#readAll(target, at - base, at, Math.min(sectorBytes, range.to - at));
      } catch (error) {
        if (!isIoError(error)) throw error;
        throw new SourceReadError(this.#disk, at, `${name} cannot be read at byte ${at}: ${error.message}`);
      }
    }
  }

  #readAll(target: Buffer, at: number, offsetBytes: number, lengthBytes: number): void {
    let done = 0;
    while (done < lengthBytes) {
      const count = this.#readOnce(target, at + done, { offsetBytes: offsetBytes + done, lengthBytes: lengthBytes - done });
      if (count === 0) throw this.#ended(offsetBytes + done);
      done += count;
    }
  }

  #ended(offsetBytes: number): EngineError {
    const { name, sizeBytes } = this.#source;
    const message = `${name} ended at byte ${offsetBytes} but had ${sizeBytes} bytes when the backup began`;
    return new EngineError('SOURCE_CHANGED_SIZE', message, { retry: 'later' });
  }

  #readOnce(target: Buffer, at: number, range: { offsetBytes: number; lengthBytes: number }): number {
    try {
      return readSync(this.#file, target, at, range.lengthBytes, range.offsetBytes);
    } catch (error) {
      // A device or driver that takes no O_DIRECT, or a tail that is not aligned.
      if (!this.#direct || !hasCode(error, 'EINVAL')) throw error;
      this.#reopen(false);
      return readSync(this.#file, target, at, range.lengthBytes, range.offsetBytes);
    }
  }

  #reopen(direct: boolean): void {
    try {
      const file = openSync(this.#source.path, constants.O_RDONLY | (direct ? constants.O_DIRECT : 0));
      closeSync(this.#file);
      this.#file = file;
      this.#direct = direct;
    } catch (error) {
      if (!direct || !hasCode(error, 'EINVAL')) throw error;
    }
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Errors of the medium, as opposed to errors of ours. */
function isIoError(error: unknown): error is Error {
  return ['EIO', 'ENODATA', 'EREMOTEIO', 'EBADMSG', 'ETIMEDOUT', 'ENXIO'].some((code) => hasCode(error, code));
}
