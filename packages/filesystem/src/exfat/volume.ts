import type { BlockDevice } from '@diskfleet/disk';
import { type Chain, ClusterChains } from '../clusterChain.ts';
import type { ExfatGeometry } from './bootSector.ts';

const END_OF_CHAIN = 0xffffffff;

/** An exFAT volume: its geometry and the two ways its files are laid out. */
export class ExfatVolume extends ClusterChains {
  readonly device: BlockDevice;
  readonly geometry: ExfatGeometry;

  /** @param keptPages as `ClusterTable.keptPages` */
  constructor(device: BlockDevice, geometry: ExfatGeometry, keptPages?: number) {
    const { clusterCount, clusterBytes, dataOffsetBytes } = geometry;
    super({
      device,
      offsetBytes: geometry.fatOffsetBytes + geometry.activeFat * geometry.fatBytes,
      clusterCount,
      get: (bytes, index) => bytes.readUInt32LE(index * 4),
      bytesFor: (count) => count * 4,
      end: END_OF_CHAIN,
      dataOffsetBytes,
      clusterBytes,
      keptPages,
    });
    this.device = device;
    this.geometry = geometry;
  }

  /** The clusters that hold `lengthBytes`, by the FAT or, where it is void, one behind the other. */
  async locate(first: number, lengthBytes: number, contiguous: boolean): Promise<Chain> {
    const wanted = Math.ceil(lengthBytes / this.geometry.clusterBytes);
    if (!contiguous) return this.follow(first, wanted);
    if (wanted === 0 || !this.isCluster(first))
      return { at: [], start: [], clusterCount: 0, end: wanted > 0 ? 'broken' : 'whole' };
    const clusterCount = Math.min(wanted, this.geometry.clusterCount + 2 - first);
    return { at: [0], start: [first], clusterCount, end: clusterCount < wanted ? 'broken' : 'whole' };
  }
}
