/**
 * Writes one new file so that it outlives a power cut. Large ones bypass the page cache when the caller's memory allows it (a tenth
 * of the CPU of buffered writes).
 */
import { constants } from 'node:fs';
import type { FileCalls, OpenFile } from './fileCalls.ts';
import { codeOf } from './fileFailure.ts';

const blockBytes = 4096;
const writeBytes = 8 << 20;
const directFromBytes = 1 << 20;
const { O_WRONLY, O_CREAT, O_TRUNC } = constants;

export async function writeDurably(files: FileCalls, path: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length >= directFromBytes && (await writeDirect(files, path, bytes))) return;
  const file = await files.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600);
  try {
    for (let at = 0; at < bytes.length; ) {
      at += (await file.write(bytes, at, Math.min(writeBytes, bytes.length - at), at)).bytesWritten;
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** False when memory, platform or file system do not allow O_DIRECT; nothing of the attempt then matters. */
async function writeDirect(files: FileCalls, path: string, bytes: Uint8Array): Promise<boolean> {
  const padded = Math.ceil(bytes.length / blockBytes) * blockBytes;
  const aligned = bytes.byteOffset % blockBytes === 0 && bytes.byteOffset + padded <= bytes.buffer.byteLength;
  if (!aligned || constants.O_DIRECT === undefined) return false;
  const file = await files.open(path, O_WRONLY | O_CREAT | O_TRUNC | constants.O_DIRECT, 0o600).catch((cause) => {
    if (codeOf(cause) === 'EINVAL') return null;
    throw cause;
  });
  if (file === null) return false;
  try {
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, padded);
    const pieces: Promise<boolean>[] = [];
    for (let at = 0; at < padded; at += writeBytes) pieces.push(writePiece(file, whole, at));
    // All pieces settle before the file is closed, whatever happens to one of them.
    const results = await Promise.allSettled(pieces);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    if (results.some((result) => result.status === 'fulfilled' && !result.value)) return false;
    if (padded !== bytes.length) await file.truncate(bytes.length);
    await file.sync();
    return true;
  } catch (cause) {
    if (codeOf(cause) !== 'EINVAL') throw cause;
    return false;
  } finally {
    await file.close();
  }
}

async function writePiece(file: OpenFile, whole: Buffer, from: number): Promise<boolean> {
  const end = Math.min(whole.length, from + writeBytes);
  for (let at = from; at < end; ) {
    const { bytesWritten } = await file.write(whole, at, end - at, at);
    if (bytesWritten % blockBytes !== 0 || bytesWritten === 0) return false;
    at += bytesWritten;
  }
  return true;
}
