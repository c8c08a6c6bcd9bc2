/** Every parser of this package by itself, for the fuzzer. */
export { decodeConfig } from '../config/config.ts';
export { encodeGc, openGc } from '../gc/gcObjects.ts';
export { decodeSegment } from '../index/segment.ts';
export { sha256 } from '../keys/derive.ts';
export { decodeLeaf, decodePage, decodeRoot } from '../map/mapNodes.ts';
export { readRecordHeader, readTrailer } from '../pack/layout.ts';
export { openPackKey, RecordDecoder } from '../pack/recordDecoder.ts';
export { decodeManifest } from '../point/manifest.ts';
export { partsStore } from '../portable/fileStore.ts';
export { createPortableFile } from '../portable/fileWriter.ts';
export { decodePartHeader, partHeaderBytes } from '../portable/layout.ts';
export { openVaultIn } from '../vault/openVault.ts';
