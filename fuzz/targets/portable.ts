/**
 * A portable file as somebody sends it: opened, listed, explored and verified through the door all use, as a vault of its own. Only its
 * parts are those of memory, not of a folder.
 */
import { type Vault, VaultError } from '@diskfleet/vault';
import { decodePartHeader, openVaultIn, partHeaderBytes, partsStore } from '@diskfleet/vault/testing/parsers';
import { insist, type Subject, type Target } from '../engine/target.ts';

const MAX_ENTRIES = 400;
const READ_BYTES = 64 << 10;
const path = 'sent.adi';

async function codedOnly(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
  }
}

export const target: Target = {
  run: (subject) =>
    codedOnly(async () => {
      const vault = await openVaultIn(await storeOf(subject), { kind: 'file', path }, { kind: 'none' });
      await codedOnly(() => look(vault));
      await codedOnly(async () => {
        const { damaged } = await vault.verify({ level: 'content' });
        insist(
          damaged.every(({ object }) => object.length > 0),
          'damage without a name',
        );
      });
      await vault.close();
    }),
};

async function storeOf(subject: Subject) {
  const device = subject.device();
  const sizeBytes = subject.sizeBytes;
  if (sizeBytes < partHeaderBytes) throw new VaultError('PORTABLE_INCOMPLETE', 'shorter than a header');
  const header = Buffer.alloc(partHeaderBytes);
  await device.read(0, header);
  const { fileId } = decodePartHeader(header, path);
  const parts = {
    fileId,
    sizeBytes,
    streamBytes: sizeBytes - partHeaderBytes,
    paths: [path],
    async read(offsetBytes: number, bytes: Uint8Array) {
      if (offsetBytes + bytes.length > sizeBytes - partHeaderBytes) throw new VaultError('PORTABLE_INCOMPLETE', 'ends before');
      await device.read(partHeaderBytes + offsetBytes, bytes);
    },
  };
  return partsStore(parts, path);
}

/** Every point, every disk: its map within the disk and in order, both ends of its content. */
async function look(vault: Vault): Promise<void> {
  for (const { id } of (await vault.listPoints()).points) {
    await codedOnly(async () => {
      const point = await vault.openPoint(id);
      for (const index of point.body.disks.keys()) await codedOnly(async () => lookAtDisk(vault, await point.openDisk(index)));
    });
  }
}

type SavedDisk = Awaited<ReturnType<Awaited<ReturnType<Vault['openPoint']>>['openDisk']>>;

async function lookAtDisk(vault: Vault, disk: SavedDisk): Promise<void> {
  insist(Number.isSafeInteger(disk.sizeBytes) && disk.sizeBytes >= 0, `a disk of ${disk.sizeBytes} bytes`);
  const chunkIds: Uint8Array[] = [];
  await codedOnly(async () => {
    let [end, count] = [0, 0];
    for await (const entry of disk.mapEntries()) {
      const { offsetBytes, lengthBytes } = entry;
      if (entry.kind === 'data') chunkIds.push(Buffer.from(entry.chunkId));
      insist(offsetBytes >= end && lengthBytes > 0, `an entry ${offsetBytes}+${lengthBytes} after ${end}`);
      end = offsetBytes + lengthBytes;
      insist(end <= disk.sizeBytes, `an entry that ends at ${end} of ${disk.sizeBytes}`);
      if (++count >= MAX_ENTRIES) break;
    }
  });
  const bytes = new Uint8Array(Math.min(disk.sizeBytes, READ_BYTES));
  await codedOnly(() => disk.read(0, bytes));
  await codedOnly(() => disk.read(disk.sizeBytes - bytes.length, bytes));
  if (chunkIds.length > 0)
    await codedOnly(() =>
      vault.readChunks(chunkIds.slice(0, 2), (id, plain) => insist(id.length === 32 && plain.length > 0, 'an empty chunk')),
    );
  await disk.close();
}
