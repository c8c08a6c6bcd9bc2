/** [F31] [F33] The parts of a portable file as one stream of bytes, and which of them are missing. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { VaultError } from '../errors.ts';
import { decodeFooter, decodePartHeader, type Footer, footerBytes, type PartHeader, partHeaderBytes } from './layout.ts';

/** `x.adi`, `x.adi.001`, … */
export function partPath(path: string, number: number): string {
  return number === 0 ? path : `${path}.${String(number).padStart(3, '0')}`;
}

export interface Parts {
  readonly fileId: Buffer;
  readonly streamBytes: number;
  /** Bytes of all parts, headers included. */
  readonly sizeBytes: number;
  readonly paths: readonly string[];
  /** Fills `target` from the stream. @throws VaultError `PORTABLE_INCOMPLETE` when a part has become shorter, `VAULT_STORE_FAILED`. */
  read(offsetBytes: number, target: Uint8Array): Promise<void>;
}

interface Part {
  readonly path: string;
  readonly header: PartHeader;
  readonly sizeBytes: number;
}

/** Finds all parts. @throws VaultError `VAULT_NOT_FOUND`, `PORTABLE_INCOMPLETE`, `PORTABLE_DAMAGED`, `VAULT_TOO_NEW`, `VAULT_STORE_FAILED`. */
export async function openParts(path: string): Promise<Parts> {
  const first = await openPart(path);
  if (first === null) throw new VaultError('VAULT_NOT_FOUND', `there is no file ${path}`);
  const { number, fileId, partBytes } = first.header;
  if (number !== 0) {
    throw new VaultError(
      'PORTABLE_INCOMPLETE',
      `${path} is part ${number} of a file: give its first part, the one without a number`,
    );
  }
  const parts = [first];
  for (let last = first; partBytes !== 0; ) {
    const next = await openPart(partPath(path, parts.length));
    if (next === null) break;
    if (!next.header.fileId.equals(fileId) || next.header.partBytes !== partBytes || next.header.number !== parts.length) {
      throw new VaultError('PORTABLE_DAMAGED', `${next.path} is not part ${parts.length} of ${basename(path)}`);
    }
    refuseOtherSize(last, partBytes);
    parts.push(next);
    last = next;
  }
  const payload = partBytes === 0 ? Number.MAX_SAFE_INTEGER : partBytes - partHeaderBytes;
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  const paths = parts.map((part) => part.path);
  return {
    fileId,
    streamBytes: sizeBytes - parts.length * partHeaderBytes,
    sizeBytes,
    paths,
    async read(offsetBytes, target) {
      for (let done = 0; done < target.length; ) {
        const at = offsetBytes + done;
        const part = paths[Math.floor(at / payload)];
        if (part === undefined) throw new VaultError('PORTABLE_INCOMPLETE', `${path} ends before byte ${at}`);
        const within = at % payload;
        const piece = target.subarray(done, done + Math.min(target.length - done, payload - within));
        await readAt(part, partHeaderBytes + within, piece);
        done += piece.length;
      }
    },
  };
}

/** @throws VaultError `PORTABLE_INCOMPLETE` naming what is missing, `PORTABLE_DAMAGED`. */
export async function readFooter(parts: Parts): Promise<{ footer: Footer; bytes: Buffer }> {
  const last = parts.paths.at(-1) ?? '';
  const next = partPath(parts.paths[0] ?? '', parts.paths.length);
  const missing = (why: string): never => {
    const text = `${last} does not end as a whole file does: ${why}`;
    throw new VaultError(
      'PORTABLE_INCOMPLETE',
      `${text}; it was cut off, or ${basename(next)} and what follows it are not beside it`,
    );
  };
  if (parts.streamBytes < footerBytes) return missing('it has no footer');
  const bytes = Buffer.alloc(footerBytes);
  await parts.read(parts.streamBytes - footerBytes, bytes);
  const footer = decodeFooter(bytes, last);
  if (footer === null) return missing('it has no footer');
  if (!footer.fileId.equals(parts.fileId))
    throw new VaultError('PORTABLE_DAMAGED', `the footer of ${last} is that of another file`);
  if (footer.streamBytes !== parts.streamBytes) {
    return missing(`${parts.streamBytes} bytes are there, ${footer.streamBytes} were written`);
  }
  return { footer, bytes };
}

function refuseOtherSize(part: Part, wanted: number): void {
  if (part.sizeBytes === wanted) return;
  const problem = `${part.path} has ${part.sizeBytes} bytes, not ${wanted}`;
  throw new VaultError('PORTABLE_INCOMPLETE', `${problem}: it was not copied as a whole`);
}

/** Null when there is no such file. */
async function openPart(path: string): Promise<Part | null> {
  const found = await stat(path).catch((cause: unknown) => (isAbsent(cause) ? null : failed(cause, path)));
  if (found === null) return null;
  if (!found.isFile()) throw new VaultError('PORTABLE_DAMAGED', `${path} is not a regular file`);
  if (found.size < partHeaderBytes) {
    throw new VaultError(
      'PORTABLE_INCOMPLETE',
      `${path} has ${found.size} bytes, less than its own header: it was not copied as a whole`,
    );
  }
  const bytes = Buffer.alloc(partHeaderBytes);
  await readAt(path, 0, bytes);
  return { path, header: decodePartHeader(bytes, path), sizeBytes: found.size };
}

async function readAt(path: string, offsetBytes: number, target: Uint8Array): Promise<void> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    if (isAbsent(cause)) throw new VaultError('PORTABLE_INCOMPLETE', `${path} is gone`, { cause });
    return failed(cause, path);
  });
  try {
    await fill(file, offsetBytes, { target, path });
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, offsetBytes: number, into: { target: Uint8Array; path: string }): Promise<void> {
  const { target, path } = into;
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file
      .read(target, done, target.length - done, offsetBytes + done)
      .catch((cause: unknown) => failed(cause, path));
    if (bytesRead === 0) throw new VaultError('PORTABLE_INCOMPLETE', `${path} ends before byte ${offsetBytes + target.length}`);
    done += bytesRead;
  }
}

function isAbsent(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
}

function failed(cause: unknown, path: string): never {
  const text = cause instanceof Error ? cause.message : String(cause);
  throw new VaultError('VAULT_STORE_FAILED', `${path} cannot be read: ${text}`, { cause });
}
