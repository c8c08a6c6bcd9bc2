/** Disk files for tests, made by the real tools (sgdisk, sfdisk, mke2fs, mkfs.fat, mtools, mkntfs) with no root and no mount. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export const MIB = 1024 * 1024;

const toolsOfTests = [
  'sgdisk',
  'sfdisk',
  'mke2fs',
  'e2fsck',
  'mkfs.fat',
  'mcopy',
  'fsck.fat',
  'mkntfs',
  'ntfscp',
  'ntfsfix',
  'debugfs',
];

/** Names of the tools these tests need and this machine lacks (they live in sbin folders, which may not be on PATH). */
export function missingTools(): string[] {
  process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  return toolsOfTests.filter((tool) => {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
}

export function runTool(tool: string, args: readonly string[], input = ''): string {
  return execFileSync(tool, args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Bytes that do not compress and are the same in every run. */
export function noise(lengthBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let at = 0; at + 4 <= lengthBytes; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

/** A small tree of files of many sizes below `folder`; returns path → content. */
export function makeTree(folder: string, seed = 1): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const put = (path: string, bytes: Buffer) => {
    files.set(path, bytes);
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  };
  put('hello.txt', Buffer.from('hello\n'));
  put('empty', Buffer.alloc(0));
  for (let index = 0; index < 40; index++) put(`small/${index % 5}/file-${index}.bin`, noise(100 + index * 997, seed + index));
  put('large/noise.bin', noise(6 * MIB + 123, seed + 100));
  put('large/text.log', Buffer.from('all work and no play makes a dull disk\n'.repeat(90_000)));
  put('deep/a/b/c/d/e/f/leaf', Buffer.from(`leaf ${seed}`));
  return files;
}

export interface Part {
  readonly sizeMib: number;
  readonly kind: 'esp' | 'ext4' | 'ntfs' | 'raw';
  /** Folder whose files fill it (`ext4` all of them; `esp` and `ntfs` some). */
  readonly tree?: string;
  /** Content of a `raw` partition. */
  readonly bytes?: Buffer;
}

const gptTypes = { esp: 'ef00', ext4: '8300', ntfs: '0700', raw: '8300' } as const;
const mbrTypes = { esp: 'c', ext4: '83', ntfs: '7', raw: '83' } as const;

/** A sparse file with a table and partitions from 1 MiB on, each 1 MiB aligned. */
export function makeDisk(path: string, sizeMib: number, table: { kind: 'gpt' | 'mbr'; parts: readonly Part[] }): void {
  writeFileSync(path, '');
  truncateSync(path, sizeMib * MIB);
  let startMib = 1;
  const starts: number[] = [];
  for (const part of table.parts) {
    starts.push(startMib);
    startMib += part.sizeMib;
  }
  if (table.kind === 'gpt') {
    const args = table.parts.flatMap((part, index) => {
      const start = (starts[index] ?? 0) * 2048;
      const number = index + 1;
      return [
        '-n',
        `${number}:${start}:${start + part.sizeMib * 2048 - 1}`,
        '-t',
        `${number}:${gptTypes[part.kind]}`,
        '-c',
        `${number}:${part.kind}`,
      ];
    });
    runTool('sgdisk', ['-a', '1', ...args, path]);
  } else {
    const lines = table.parts.map(
      (part, index) => `start=${(starts[index] ?? 0) * 2048}, size=${part.sizeMib * 2048}, type=${mbrTypes[part.kind]}`,
    );
    runTool('sfdisk', ['-q', path], `label: dos\n${lines.join('\n')}\n`);
  }
  for (const [index, part] of table.parts.entries()) fillPart(path, (starts[index] ?? 0) * MIB, part);
}

/** Makes the filesystem in a file of its own and copies it in: no loop device needed. */
function fillPart(path: string, startBytes: number, part: Part): void {
  const volume = `${path}.part`;
  makeVolume(volume, part);
  copyInto(volume, path, startBytes);
  rmSync(volume);
}

export function makeVolume(volume: string, part: Part): void {
  writeFileSync(volume, part.bytes ?? '');
  truncateSync(volume, part.sizeMib * MIB);
  if (part.kind === 'ext4') {
    runTool('mke2fs', ['-q', '-t', 'ext4', '-L', 'system', ...(part.tree === undefined ? [] : ['-d', part.tree]), volume]);
  }
  if (part.kind === 'esp') {
    runTool('mkfs.fat', ['-F', '32', '-s', '1', '-n', 'ESP', volume]);
    if (part.tree !== undefined) runTool('mcopy', ['-s', '-i', volume, `${part.tree}/small`, `${part.tree}/hello.txt`, '::/']);
  }
  if (part.kind === 'ntfs') {
    runTool('mkntfs', ['-q', '-F', '-f', '-L', 'data', volume]);
    if (part.tree !== undefined) runTool('ntfscp', ['-q', volume, `${part.tree}/large/noise.bin`, 'Noise.bin']);
  }
}

export function copyInto(from: string, to: string, offsetBytes: number): void {
  const bytes = readFileSync(from);
  const file = openSync(to, 'r+');
  for (let at = 0; at < bytes.length; at += MIB) {
    const part = bytes.subarray(at, at + MIB);
    if (part.some((byte) => byte !== 0)) writeSync(file, part, 0, part.length, offsetBytes + at);
  }
  closeSync(file);
}

/** Cuts one partition out of a disk file. */
export function cutOut(disk: string, place: { startBytes: number; sizeBytes: number }, to: string): void {
  const file = openSync(disk, 'r');
  const bytes = Buffer.alloc(place.sizeBytes);
  readSync(file, bytes, 0, bytes.length, place.startBytes);
  closeSync(file);
  writeFileSync(to, bytes);
}
