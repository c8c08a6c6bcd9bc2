/** Works off a file cut: reads group after group, wherever its pieces lie, and hands in the chunks. */
import { GROUP_FIELDS } from '../cut/fileCut.ts';
import { FileGroupReader } from '../cut/fileGroupReader.ts';
import { takeNext } from '../threads/control.ts';
import type { ChunkSink } from './chunkSink.ts';
import type { ThreadTools } from './gridReader.ts';
import type { SourceReader } from './sourceReader.ts';
import type { SumsOfThread } from './sumsOfThread.ts';
import type { FilesWork } from './work.ts';

export class FilesReader {
  readonly #readers: readonly SourceReader[];
  readonly #sink: ChunkSink;
  readonly #group: FileGroupReader;
  readonly #sums: SumsOfThread | null;

  constructor({ readers, sink, memory, sums }: ThreadTools) {
    this.#sums = sums;
    this.#group = new FileGroupReader(memory);
    this.#readers = readers;
    this.#sink = sink;
  }

  /** Takes groups until none is left or the run is stopped. */
  async work({ cut, table, next }: FilesWork): Promise<void> {
    while (!this.#sink.isStopped) {
      const group = takeNext(next);
      if (group >= cut.groupCount) return;
      const row = group * GROUP_FIELDS;
      const source = this.#readers[cut.groups[row] ?? 0];
      if (source === undefined) return;
      this.#sink.count(1, this.#group.load(cut, group, source));
      const firstChunk = cut.groups[row + 1] ?? 0;
      for (let index = 0; index < this.#group.chunkCount; index++) {
        if (!(await this.#sink.store(this.#group.chunk(index), table, firstChunk + index))) return;
      }
      this.#sums?.noteGroup(cut, group, { loaded: this.#group, table });
      this.#sink.reportPacks();
    }
  }
}
