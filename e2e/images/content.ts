/** Reproducible file content: real files of this PC picked in a stable order, noise, text-like small files, a log. */
import { spawn } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** A small seeded generator (mulberry32): the same seed gives the same numbers everywhere. */
export function seeded(seed: string): () => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Incompressible bytes that depend on the seed alone. */
export function noise(sizeBytes: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(Math.floor(sizeBytes)));
}

export function writeNoise(path: string, wantedBytes: number, seed: string): void {
  const sizeBytes = Math.floor(wantedBytes);
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16));
  for (let done = 0; done < sizeBytes; )
    done += writeSync(file, cipher.update(Buffer.alloc(Math.min(8 << 20, sizeBytes - done))));
  closeSync(file);
}

interface SourceFolder {
  readonly path: string;
  readonly files: readonly string[];
  readonly sizeBytes: number;
}

const walked = new Map<string, SourceFolder[]>();

/** All folders with files below `source`; walked once per process, since a walk of /usr takes seconds. */
function foldersOf(source: string): SourceFolder[] {
  const known = walked.get(source);
  if (known) return known;
  const folders: SourceFolder[] = [];
  const walk = (path: string) => {
    const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(path, entry.name));
    if (files.length > 0) folders.push({ path, files, sizeBytes: files.reduce((sum, file) => sum + lstatSync(file).size, 0) });
    for (const entry of entries) if (entry.isDirectory()) walk(join(path, entry.name));
  };
  walk(source);
  walked.set(source, folders);
  return folders;
}

/** Copies real files from `source`, whole folders in the order of a hash of tag and path, until `capBytes` are reached. */
export async function copyPicked(tag: string, capBytes: number, target: string, source = '/usr'): Promise<void> {
  const order = (folder: string) => createHash('sha1').update(tag).update(folder).digest('hex');
  const folders = foldersOf(source)
    .map((folder) => ({ ...folder, hash: order(folder.path) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  let total = 0;
  const picked: string[] = [];
  for (const folder of folders) {
    if (total + folder.sizeBytes > capBytes) continue;
    total += folder.sizeBytes;
    for (const file of folder.files) picked.push(relative(source, file));
  }
  mkdirSync(target, { recursive: true });
  await copyByTar(source, picked, target);
}

function copyByTar(source: string, files: readonly string[], target: string): Promise<void> {
  return new Promise((done, fail) => {
    const pack = spawn('tar', ['-C', source, '--null', '-T', '-', '--ignore-failed-read', '-cf', '-'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const unpack = spawn('tar', ['-C', target, '-xf', '-'], { stdio: [pack.stdout, 'ignore', 'inherit'] });
    pack.stdin.end(files.join('\0'));
    unpack.on('exit', (code) => (code === 0 ? done() : fail(new Error(`unpacking ended with ${code}`))));
  });
}

/** Many small files, text-like and binary, log-normal in size with a median of about 2.2 KiB. */
export function writeSmallFiles(target: string, count: number, seed: string): void {
  const random = seeded(`small-${seed}`);
  const words = Array.from({ length: 4000 }, () =>
    Array.from({ length: 2 + Math.floor(random() * 9) }, () => 'etaoinshrdlucmfwypvbgkqjxz'[Math.floor(random() * 26)]).join(''),
  );
  const paragraphs = Array.from(
    { length: 1500 },
    () => `${Array.from({ length: 120 }, () => words[Math.floor(random() * words.length)]).join(' ')}\n`,
  );
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  for (let index = 0; index < count; index++) {
    const folder = join(target, (index % 251).toString(16).padStart(2, '0'), (Math.floor(index / 251) % 16).toString(16));
    if (index < 251 * 16) mkdirSync(folder, { recursive: true });
    const sizeBytes = Math.min(400_000, Math.max(1, Math.floor(Math.exp(7.7 + 1.25 * normal()))));
    if (index % 10 === 0) {
      writeFileSync(join(folder, `f${String(index).padStart(6, '0')}.bin`), noise(sizeBytes, `${seed}-${index}`));
      continue;
    }
    let text = '';
    while (text.length < sizeBytes) text += paragraphs[Math.floor(random() * paragraphs.length)];
    writeFileSync(join(folder, `f${String(index).padStart(6, '0')}.txt`), text.slice(0, sizeBytes));
  }
}

/** A web server's log: very compressible, all in one file. */
export function writeLog(path: string, wantedBytes: number, seed: string): void {
  const sizeBytes = Math.floor(wantedBytes);
  const random = seeded(`log-${seed}`);
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  let time = 1_700_000_000;
  for (let done = 0; done < sizeBytes; ) {
    let block = '';
    while (block.length < 1 << 20) {
      time += random() * 0.2;
      const host = `10.0.${Math.floor(random() * 8)}.${Math.floor(random() * 64)}`;
      block += `${time.toFixed(3)} ${host} - GET /api/v1/item/${Math.floor(random() * 5000).toString(16)} HTTP/1.1 200 ${Math.floor(random() * 100_000)} ${Math.floor(random() * 900)}ms\n`;
    }
    done += writeSync(file, block.slice(0, sizeBytes - done));
  }
  closeSync(file);
}
