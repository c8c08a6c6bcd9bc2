import type { StoredChunkReader } from '../pack/chunkReader.ts';
import type { Vault, VerifyReport } from '../types.ts';
import type { VaultContext } from './context.ts';

export type VerifyOptions = Parameters<Vault['verify']>[0];

export async function verifyVault(
  _context: VaultContext & { reader: StoredChunkReader | null },
  _options: VerifyOptions,
): Promise<VerifyReport> {
  throw new Error('not yet');
}
