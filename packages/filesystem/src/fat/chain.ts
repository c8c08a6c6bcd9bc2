import { ClusterChains } from '../clusterChain.ts';
import { entryFormat } from './fatEntries.ts';
import type { FatVolume } from './volume.ts';

/** The chains of a FAT volume, by the one FAT that counts. */
export class Chains extends ClusterChains {
  readonly volume: FatVolume;

  /** @param keptPages as `ClusterTable.keptPages` */
  constructor(volume: FatVolume, keptPages?: number) {
    const { device, geometry } = volume;
    const { get, bytesFor, end } = entryFormat(geometry);
    const { clusterCount, clusterBytes, dataOffsetBytes } = geometry;
    const offsetBytes = geometry.fatOffsetBytes + (geometry.activeFat ?? 0) * geometry.fatBytes;
    const { fatOffsetBytes, fatBytes, fatCount, activeFat } = geometry;
    const others = Array.from({ length: fatCount - 1 }, (_, index) => fatOffsetBytes + (index + 1) * fatBytes);
    const copyOffsetsBytes = activeFat === null ? others : [];
    super({ device, copyOffsetsBytes, offsetBytes, clusterCount, get, bytesFor, end, dataOffsetBytes, clusterBytes, keptPages });
    this.volume = volume;
  }
}
