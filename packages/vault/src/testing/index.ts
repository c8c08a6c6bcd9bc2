/** For tests of this package and of those that build on it. */

export { makeBucket, noRadosgw, type Radosgw, startRadosgw } from '../stores/s3/testing/radosgw.ts';
export { createVaultIn } from '../vault/createVault.ts';
export { openVaultIn } from '../vault/openVault.ts';
export { type Faults, faultyStore, fullStore } from './faultyStore.ts';
export { type MemoryStore, memoryStore } from './memoryStore.ts';
export { type ContractSubject, storeContract } from './storeContract.ts';
export { type StoreServer, serveStore } from './storeServer.ts';
