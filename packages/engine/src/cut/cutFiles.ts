/** The file cutter's door: from the files of each volume to chunks in an order that reads the disks from front to back. */
import { DiskError, type Extent, intersectExtents, subtractExtents } from '@diskfleet/disk';
import { type FileLayout, FilesystemError } from '@diskfleet/filesystem';
import { FileChunker } from './chunkFiles.ts';
import { chunkRest } from './chunkRest.ts';
import { CutAssembler } from './cutAssembler.ts';
import { type CutOptions, defaultCut, type FileCut } from './fileCut.ts';
import { type Settled, settle } from './settle.ts';

/** A volume whose files can be told. */
export interface VolumeToCut {
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly layouts: AsyncIterable<FileLayout> | Iterable<FileLayout>;
}

export interface DiskToCut {
  /** Sorted, disjoint. */
  readonly used: readonly Extent[];
  readonly volumes: readonly VolumeToCut[];
  /** Only chunks with bytes in these extents (sorted, disjoint) are taken, all of each; absent: every chunk. */
  readonly touching?: readonly Extent[];
}

export interface CutDisks {
  readonly cut: FileCut;
  /** Of each disk what lies in no volume that is cut here: work for the grid. `touching` does not apply to it. */
  readonly others: readonly (readonly Extent[])[];
  /** Why files of a volume are not cut as such. They are saved all the same. */
  readonly notes: readonly string[];
}

export async function cutFiles(disks: readonly DiskToCut[], options: CutOptions = defaultCut): Promise<CutDisks> {
  const assembler = new CutAssembler();
  const others: Extent[][] = [];
  const notes: string[] = [];
  for (const disk of disks) {
    const chunker = new FileChunker(options);
    for (const volume of disk.volumes) await addVolume(chunker, volume, notes);
    const places = disk.volumes.map(({ startBytes, sizeBytes }) => ({ offsetBytes: startBytes, lengthBytes: sizeBytes }));
    places.sort((a, b) => a.offsetBytes - b.offsetBytes);
    others.push(subtractExtents(disk.used, places));
    const settled: Settled = settle(chunker.pieces, intersectExtents(disk.used, places));
    assembler.addDisk({ files: settled.pieces, fileChunkBytes: chunker.chunkBytes }, chunkRest(settled.rest), disk.touching);
  }
  return { cut: assembler.finish(), others, notes };
}

async function addVolume(chunker: FileChunker, { layouts, startBytes }: VolumeToCut, notes: string[]): Promise<void> {
  chunker.endBundle();
  try {
    for await (const layout of layouts) {
      if (chunker.add(layout, startBytes)) continue;
      notes.push('there are more files than the file cutter keeps in mind; the last ones are cut by their place');
      return;
    }
  } catch (error) {
    if (!(error instanceof FilesystemError || error instanceof DiskError)) throw error;
    notes.push(`not all files could be told, so some are cut by their place: ${error.message}`);
  }
}
