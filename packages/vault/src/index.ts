export { VaultError, type VaultErrorCode } from './errors.ts';
export { generateVaultKeys } from './keys/seal.ts';
export { type ChunkHasher, chunkHasher, type HasherKey } from './pack/chunkHasher.ts';
export { openChunkReader } from './pack/chunkReader.ts';
export { openChunkWriter } from './pack/chunkWriter.ts';
export { openStore } from './stores/openStore.ts';
export type * from './types.ts';
export { type CreateVault, createVault } from './vault/createVault.ts';
export { openVault } from './vault/openVault.ts';
