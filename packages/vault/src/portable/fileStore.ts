/** A portable file as a store: names lead to ranges of it. It is never changed. */
import { VaultError } from '../errors.ts';
import { checkName } from '../stores/names.ts';
import type { Store } from '../types.ts';
import { Directory, type DirectoryEntry } from './layout.ts';
import { openParts, type Parts, readFooter } from './parts.ts';

/** @throws VaultError `VAULT_NOT_FOUND`, `PORTABLE_INCOMPLETE`, `PORTABLE_DAMAGED`, `VAULT_TOO_NEW`, `VAULT_STORE_FAILED`. */
export async function fileStore(path: string): Promise<Store> {
  return partsStore(await openParts(path), path);
}

/** @throws VaultError `PORTABLE_INCOMPLETE`, `PORTABLE_DAMAGED`, `VAULT_TOO_NEW`, and what `parts` throws. */
export async function partsStore(parts: Parts, path: string): Promise<Store> {
  const { footer, bytes } = await readFooter(parts);
  const table = Buffer.alloc(footer.directoryBytes);
  await parts.read(footer.directoryOffset, table);
  const directory = new Directory(table, footer, { footerBytes: bytes, what: path });
  const find = (name: string): DirectoryEntry => {
    checkName(name);
    const entry = directory.find(name);
    if (entry === null) throw new VaultError('VAULT_OBJECT_MISSING', `${path} has no object ${name}`);
    return entry;
  };
  const fill = async (entry: DirectoryEntry, offsetBytes: number, target: Uint8Array): Promise<void> => {
    if (offsetBytes < 0 || offsetBytes + target.length > entry.lengthBytes) {
      const end = offsetBytes + target.length;
      throw new VaultError('VAULT_OBJECT_MISSING', `${entry.name} has ${entry.lengthBytes} bytes, not the ${end} asked for`);
    }
    await parts.read(entry.offsetBytes + offsetBytes, target);
  };
  return {
    location: path,
    async put(name) {
      checkName(name);
      throw neverChanged(path);
    },
    async get(name, range) {
      const entry = find(name);
      const { offsetBytes, lengthBytes } = range ?? { offsetBytes: 0, lengthBytes: entry.lengthBytes };
      if (offsetBytes + lengthBytes > entry.lengthBytes) await fill(entry, entry.lengthBytes, new Uint8Array(1));
      const target = Buffer.allocUnsafeSlow(lengthBytes);
      await fill(entry, offsetBytes, target);
      return target;
    },
    async readInto(name, offsetBytes, target) {
      await fill(find(name), offsetBytes, target);
    },
    async head(name) {
      checkName(name);
      const entry = directory.find(name);
      return entry === null ? null : { name, sizeBytes: entry.lengthBytes };
    },
    async *list(prefix) {
      for (let at = directory.lowerBound(prefix); at < directory.size; at += 1) {
        const { name, lengthBytes } = directory.entry(at);
        if (!name.startsWith(prefix)) return;
        yield { name, sizeBytes: lengthBytes };
      }
    },
    async remove() {
      throw neverChanged(path);
    },
    async close() {},
  };
}

function neverChanged(path: string): VaultError {
  return new VaultError('VAULT_REFUSED', `${path} is a portable file and is never changed: import it into a vault`);
}
