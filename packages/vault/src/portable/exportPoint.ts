/** [F31] One restore point as a portable file: a small vault of its own, copied into as into any other. */

import type { PassphraseCost } from '../keys/passphrase.ts';
import { PackingWriter } from '../pack/chunkWriter.ts';
import type { PointHeader, Vault } from '../types.ts';
import { createVaultIn } from '../vault/createVault.ts';
import { type CopyPoint, copyPointBy } from './copyPoint.ts';
import { createPortableFile } from './fileWriter.ts';

export interface ExportPoint extends CopyPoint {
  readonly path: string;
  /** Size of the parts; null: one file. */
  readonly partBytes: number | null;
  /** Fresh keys under this passphrase, which alone opens the file; null: not encrypted. */
  readonly passphrase: string | null;
  readonly now: () => Date;
  readonly passphraseCost?: PassphraseCost;
}

export interface ExportedPoint {
  readonly header: PointHeader;
  readonly files: readonly string[];
  readonly bytes: number;
}

/** @throws VaultError `PORTABLE_EXISTS`, and what reading the point or writing the file throws; nothing is left behind then. */
export async function exportPoint(from: Vault, options: ExportPoint): Promise<ExportedPoint> {
  const { path, passphrase, now } = options;
  const { idAlgorithm } = from.readerSeed();
  const file = await createPortableFile(path, options.partBytes);
  try {
    const encryption = passphrase === null ? { kind: 'none' as const } : { kind: 'passphrase' as const, passphrase };
    const cost = options.passphraseCost === undefined ? {} : { passphraseCost: options.passphraseCost };
    const vault = await createVaultIn(file.store, { kind: 'file', path }, { encryption, now, idAlgorithm, ...cost });
    const header = await copyPointBy(from, vault, {
      ...options,
      openWriter: async (seed) => new PackingWriter(seed, { store: file.store, kind: 'data' }),
    });
    return { header, ...(await file.finish()) };
  } catch (cause) {
    await file.abandon();
    throw cause;
  }
}
