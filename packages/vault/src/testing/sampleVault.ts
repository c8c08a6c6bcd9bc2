/** A small vault with known content, and the pieces tests take it apart with. */
import { createCipheriv, createHash } from 'node:crypto';
import { PackingWriter } from '../pack/chunkWriter.ts';
import type {
  BeginPoint,
  IdAlgorithm,
  MapEntry,
  PointHeader,
  SavedDiskInfo,
  Store,
  StoreConfig,
  Unlock,
  Vault,
} from '../types.ts';
import { createVaultIn } from '../vault/createVault.ts';

/** Stores given directly to `createVaultIn` have no configuration; seeds of such vaults name this. */
export const noConfig: StoreConfig = { kind: 'directory', path: '/nonexistent/in-memory-vault' };

/** argon2id at its cheapest: a test of the format, not of its strength. */
export const cheapCost = { memoryKiB: 8, passes: 1 };

/** Repeatable bytes that look random. */
export function noise(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Repeatable bytes that compress about two to one. */
export function text(seed: string, length: number): Buffer {
  return Buffer.from(
    noise(seed, Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length),
    'latin1',
  );
}

export function beginning(more: Partial<BeginPoint> = {}): BeginPoint {
  return {
    machineId: 'machine-1',
    machineName: 'Front desk PC',
    source: 'WD-42 (blue)',
    kind: 'disk',
    method: 'full',
    parentId: null,
    expectedChunks: 10_000,
    compression: 'balanced',
    now: () => new Date('2026-11-22T12:00:00.000Z'),
    ...more,
  };
}

export function diskInfo(mapRootId: string, sizeBytes: number, more: Partial<SavedDiskInfo> = {}): SavedDiskInfo {
  return {
    name: 'sda',
    model: 'WD Blue',
    serial: 'WD-42',
    sizeBytes,
    sectorBytes: 512,
    usedBytes: sizeBytes,
    table: null,
    tableId: null,
    partitions: [],
    mapRootId,
    ...more,
  };
}

export interface SamplePoint {
  readonly header: PointHeader;
  /** What a reader must see. */
  readonly content: Buffer;
}

export interface WriteOptions {
  readonly chunkBytes?: number;
  readonly begin?: Partial<BeginPoint>;
  /** Packs are stored whenever this much has gathered. */
  readonly packBytes?: number;
}

/** Backs up `content` as one disk: zero chunks as zero entries, all else in chunks of a fixed size. */
export async function writePoint(vault: Vault, store: Store, content: Buffer, options: WriteOptions = {}): Promise<SamplePoint> {
  const chunkBytes = options.chunkBytes ?? 4096;
  const point = await vault.beginPoint(beginning(options.begin));
  const seed = { ...point.seed, packTargetBytes: options.packBytes ?? point.seed.packTargetBytes };
  const writer = new PackingWriter(seed, { store, kind: 'data' });
  const entries: MapEntry[] = [];
  try {
    for (let offsetBytes = 0; offsetBytes < content.length; offsetBytes += chunkBytes) {
      const plain = content.subarray(offsetBytes, offsetBytes + chunkBytes);
      const place = { offsetBytes, lengthBytes: plain.length };
      if (plain.every((byte) => byte === 0)) {
        entries.push({ kind: 'zero', ...place });
        continue;
      }
      const chunkId = Buffer.alloc(32);
      writer.add(plain, chunkId);
      if (writer.drainNeeded) await writer.drain();
      entries.push({ kind: 'data', ...place, chunkId, chunkOffsetBytes: 0 });
    }
    const packs = await writer.finish();
    const { mapRootId } = await point.writeMap(entries, content.length);
    const header = await point.commit({
      packs,
      disks: [diskInfo(mapRootId, content.length)],
      warnings: ['a warning'],
      totals: { sizeBytes: content.length, usedBytes: content.length, newBytes: content.length },
    });
    return { header, content };
  } catch (cause) {
    await writer.close();
    await point.abandon();
    throw cause;
  }
}

export async function readPoint(vault: Vault, pointId: string): Promise<Buffer> {
  const disk = await (await vault.openPoint(pointId)).openDisk(0);
  const out = Buffer.alloc(disk.sizeBytes, 0xee);
  await disk.read(0, out);
  return out;
}

export async function createSample(
  store: Store,
  options: { encryption?: Unlock; idAlgorithm?: IdAlgorithm; vaultId?: string; config?: StoreConfig } = {},
): Promise<Vault> {
  return createVaultIn(store, options.config ?? noConfig, {
    encryption: options.encryption ?? { kind: 'passphrase', passphrase: 'open sesame' },
    passphraseCost: cheapCost,
    now: () => new Date('2026-11-22T11:00:00.000Z'),
    idAlgorithm: options.idAlgorithm,
    vaultId: options.vaultId,
  });
}
