/** The bytes of a vault: whoever can write to its folder can write anything. Every parser tries every input. */
import { VaultError } from '@diskfleet/vault';
import {
  decodeConfig,
  decodeLeaf,
  decodeManifest,
  decodePage,
  decodeRoot,
  decodeSegment,
  openGc,
  openPackKey,
  RecordDecoder,
  readRecordHeader,
  readTrailer,
  sha256,
} from '@diskfleet/vault/testing/parsers';
import { insist, type Target } from '../engine/target.ts';
import { seedVault } from './vaultSeed.ts';

const MAX_RECORDS = 40;
const regionBytes = 64 << 20;

async function codedOnly(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
  }
}

const decoder = new RecordDecoder(seedVault);

export const target: Target = {
  run: async (subject) => {
    const bytes = subject.bytes();
    await codedOnly(() => decodeConfig(bytes));
    await codedOnly(() => openGc(bytes, 'gc/0000000000000001-mark', { vaultId: seedVault.vaultId, idKey: seedVault.keys.idKey }));
    await codedOnly(() => {
      const name = `index/00000000/${sha256(bytes).toString('hex')}`;
      const segment = decodeSegment(bytes, name, { vaultId: seedVault.vaultId, idKey: seedVault.keys.idKey });
      insist(segment.entries.length === segment.entryCount * 48, 'entries of another length');
    });
    for (const name of seedVault.pointNames) {
      await codedOnly(() => void decodeManifest(bytes, name, seedVault).openBody());
    }
    await codedOnly(() => {
      let end = 0;
      for (const { at, length } of decodeLeaf(bytes, 'a leaf')) {
        insist(at >= end && length > 0 && at + length <= regionBytes, `an entry ${at}+${length}`);
        end = at + length;
      }
    });
    await codedOnly(() => decodePage(bytes, 'a page'));
    await codedOnly(() => {
      const { deviceSizeBytes, pages } = decodeRoot(bytes, 'a root');
      insist(Number.isSafeInteger(deviceSizeBytes) && pages.every(({ index }) => Number.isSafeInteger(index)), 'the root');
    });
    await readPack(bytes);
  },
};

/** As `verify` and the chunk readers do: what the trailer names, decoded. */
async function readPack(bytes: Buffer): Promise<void> {
  await codedOnly(async () => {
    const packKey = openPackKey(bytes, 'a pack', seedVault);
    const entries = readTrailer(bytes, 'a pack');
    for (const { id, offsetBytes, recordBytes } of entries.slice(0, MAX_RECORDS)) {
      if (offsetBytes + recordBytes > bytes.length) continue;
      readRecordHeader(bytes, offsetBytes);
      // A copy: a record is decrypted in place.
      const record = Buffer.from(bytes.subarray(offsetBytes, offsetBytes + recordBytes));
      await codedOnly(() => {
        const plain = decoder.decode({ record, id, packKey, packName: 'a pack' }, (length) => Buffer.allocUnsafeSlow(length));
        insist(plain.length < 2 ** 28, 'a chunk longer than a chunk can be');
      });
    }
  });
}
