import type { BlockDevice } from '@diskfleet/disk';
import type { FatGeometry } from './bootSector.ts';

/** A FAT volume and how it is laid out: what all parts of the reader work on. */
export interface FatVolume {
  readonly device: BlockDevice;
  readonly geometry: FatGeometry;
}
