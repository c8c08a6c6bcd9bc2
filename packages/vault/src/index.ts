export { VaultError, type VaultErrorCode } from './errors.ts';
export type { GcReport } from './gc/collectGarbage.ts';
export { generateVaultKeys } from './keys/seal.ts';
export { type ChunkHasher, chunkHasher, type HasherKey } from './pack/chunkHasher.ts';
export { openChunkReader } from './pack/chunkReader.ts';
export { openChunkWriter } from './pack/chunkWriter.ts';
export { copyPoint } from './portable/copyPoint.ts';
export { exportPoint } from './portable/exportPoint.ts';
export { mapWindows } from './portable/mapWindows.ts';
export {
  anomalyOf,
  applyScheme,
  type Scheme,
  type SchemeGuards,
  type SchemePoint,
  type Verdict,
} from './scheme/applyScheme.ts';
export { type SimulatedRuns, type SimulatedStep, simulateScheme } from './scheme/simulateScheme.ts';
export { openStore } from './stores/openStore.ts';
export { makeTokenCell, renewToken } from './stores/tokenCell.ts';
export type * from './types.ts';
export { type CreateVault, createVault } from './vault/createVault.ts';
export { openVault } from './vault/openVault.ts';
