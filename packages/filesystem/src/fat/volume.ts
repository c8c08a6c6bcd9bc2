import type { BlockDevice } from '@diskfleet/disk';
import type { FatGeometry } from './bootSector.ts';

/** A FAT volume and how it is laid out: what all parts of the reader work on. */
export interface FatVolume {
  readonly device: BlockDevice;
  readonly geometry: FatGeometry;
}

export function clusterOffset({ geometry }: FatVolume, cluster: number): number {
  return geometry.dataOffsetBytes + (cluster - 2) * geometry.clusterBytes;
}

export function isCluster({ geometry }: FatVolume, cluster: number): boolean {
  return cluster >= 2 && cluster <= geometry.clusterCount + 1;
}
