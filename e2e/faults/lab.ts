/** What the tests of wrong inputs and broken vaults work with: small disks, vaults to break, and what every failure must look like. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openFileDevice, readBytes, readPartitionTable } from '@diskfleet/disk';
import { readUsedDisk } from '@diskfleet/engine';
import { failureTexts, isFailureCode } from '@diskfleet/protocol';
import { expect } from 'vitest';
import * as z from 'zod';
import { noise } from '../images/content.ts';
import { run } from '../images/tools.ts';
import { type CliResult, cli, launcher } from '../roundtrip/cli.ts';

export const MIB = 1 << 20;

export interface LabDisk {
  readonly path: string;
  /** Files of partition 1 and their content. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** A GPT disk with one ext4 partition that holds `media.bin` of noise and a folder of small files. Needs no root. */
export async function makeLabDisk(path: string, plan: { sizeMib: number; mediaMib: number; seed: string }): Promise<LabDisk> {
  const { sizeMib, mediaMib, seed } = plan;
  const files = new Map([['media.bin', noise(mediaMib * MIB, `${seed}-media`)]]);
  for (let index = 0; index < 20; index++) files.set(`small/f${index}.bin`, noise(1000 + 400 * index, `${seed}-${index}`));
  const tree = await mkdtemp(join(tmpdir(), 'diskfleet-tree-'));
  for (const [name, content] of files) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), content);
  }
  closeSync(openSync(path, 'w'));
  truncateSync(path, sizeMib * MIB);
  await run('sgdisk', ['-n', `1:2048:${((sizeMib - 1) * MIB) / 512 - 1}`, '-t', '1:8300', '-c', `1:${seed}`, path]);
  const options = ['-q', '-F', '-O', '^metadata_csum_seed', '-L', seed, '-E', `offset=${MIB},nodiscard`, '-d', tree];
  await run('mkfs.ext4', [...options, path, `${sizeMib - 2}M`]);
  await rm(tree, { recursive: true });
  return { path, files };
}

/** SHA-256 of a file's bytes, size included. */
export function fileHash(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** SHA-256 over the used bytes of a disk, as the used map of `path` has them. */
export async function usedHash(path: string): Promise<string> {
  const device = await openFileDevice(path);
  const hash = createHash('sha256');
  for (const { offsetBytes, lengthBytes } of (await readUsedDisk(device)).usedExtents) {
    hash.update(`${offsetBytes}+${lengthBytes}`);
    for (let done = 0; done < lengthBytes; done += 8 * MIB)
      hash.update(await readBytes(device, offsetBytes + done, Math.min(8 * MIB, lengthBytes - done)));
  }
  await device.close();
  return hash.digest('hex');
}

/** Neither the first nor the backup table can be read. */
export async function hasNoTable(path: string): Promise<boolean> {
  const device = await openFileDevice(path);
  try {
    return (await readPartitionTable(device)) === null;
  } finally {
    await device.close();
  }
}

/** Objects of a vault by name, largest first. */
export function objectsOf(vault: string, prefix: string): { name: string; sizeBytes: number }[] {
  return readdirSync(vault, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ name: path.slice(vault.length + 1), sizeBytes: readFileSync(path).length }))
    .filter(({ name }) => name.startsWith(prefix))
    .sort((a, b) => b.sizeBytes - a.sizeBytes);
}

/** A copy that shares its objects with the original: `damageObject` never writes in place. */
export function copyVault(from: string, to: string): string {
  for (const { name } of objectsOf(from, '')) {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    linkSync(join(from, name), join(to, name));
  }
  mkdirSync(join(to, 'tmp'), { recursive: true });
  return to;
}

/** Replaces an object by a changed copy, or removes it when `change` gives null. */
export function damageObject(vault: string, name: string, change: (bytes: Buffer) => Buffer | null): void {
  const path = join(vault, name);
  const changed = change(Buffer.from(readFileSync(path)));
  rmSync(path);
  if (changed !== null) writeFileSync(path, changed);
}

export function flipBit(offset: number, bit = 0): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const at = offset < 0 ? bytes.length + offset : offset;
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
    return bytes;
  };
}

/** A target that holds another disk already: what is left of it after a failed restore is looked at. */
export function occupiedTarget(path: string, like: LabDisk, sizeMib: number): string {
  copyFileSync(like.path, path);
  truncateSync(path, sizeMib * MIB);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from('precious'), 0, 8, sizeMib * MIB - 4096);
  closeSync(file);
  return path;
}

const errorShape = z.strictObject({ code: z.string(), message: z.string().min(5), guidance: z.string().min(10) });

export interface CliFailure {
  readonly code: string;
  readonly message: string;
  readonly document: Record<string, unknown>;
}

/**
 * Runs with `--json` and checks the contract of failures: the exit code, exactly one JSON document on stdout with a known code,
 * message and guidance, and on stderr the same code with what it means for the data.
 */
export async function failing(
  args: readonly string[],
  expected: { exitCode: number; env?: Record<string, string> },
): Promise<CliFailure> {
  const result = await cli([...args, '--json'], expected.env);
  const shown = `diskfleet ${args.join(' ')}: ${result.exitCode} ${result.stdout} ${result.stderr}`;
  expect(result.exitCode, shown).toBe(expected.exitCode);
  const document = z.record(z.string(), z.unknown()).parse(oneDocument(result.stdout, shown));
  const { code, message, guidance } = errorShape.parse(document.error);
  if (!isFailureCode(code)) throw new Error(`unknown code ${code}`);
  expect(guidance).toBe(failureTexts[code].todo);
  expect(result.stderr).toContain(code);
  expect(result.stderr).toContain(failureTexts[code].data);
  expect(`${result.stdout}${result.stderr}`, 'no traces of the program itself').not.toMatch(/\bat .*\.[jt]s:\d+|node:internal/);
  return { code, message, document };
}

/** The shortest form: gives the code only. */
export async function failureCode(args: readonly string[], exitCode: number, env?: Record<string, string>): Promise<string> {
  return (await failing(args, env ? { exitCode, env } : { exitCode })).code;
}

function oneDocument(text: string, shown: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`stdout is not one JSON document: ${shown}`);
  }
}

const verifyShape = z.object({
  checkedBytes: z.number(),
  damaged: z.array(
    z.object({ object: z.string(), problem: z.string(), points: z.array(z.string()), paths: z.array(z.string()) }),
  ),
  error: errorShape.optional(),
});
export type VerifyDocument = z.infer<typeof verifyShape>;

/** Verifies and gives the report with the exit code; damage and exit code 0 never go together. */
export async function verify(vault: string, level: 'structure' | 'data' | 'content', env?: Record<string, string>) {
  const flags = level === 'structure' ? [] : [`--${level}`];
  const result: CliResult = await cli(['verify', '--vault', vault, ...flags, '--json'], env);
  const report = verifyShape.parse(oneDocument(result.stdout, `${result.stdout} ${result.stderr}`));
  expect(result.exitCode).toBe(report.damaged.length === 0 ? 0 : 1);
  expect(report.error?.code).toBe(report.damaged.length === 0 ? undefined : 'VAULT_DAMAGED');
  return report;
}

/** What `explore cat` prints, byte by byte. */
export function catBytes(vault: string, point: string, name: string): Promise<{ exitCode: number; bytes: Buffer }> {
  return new Promise((done) => {
    const args = [launcher, 'explore', point, 'cat', `/1/${name}`, '--vault', vault];
    const env = { ...process.env, DISKFLEET_PASSPHRASE: 'round trip' };
    execFile(process.execPath, args, { env, encoding: 'buffer', maxBuffer: 1 << 28 }, (error, bytes) =>
      done({ exitCode: error ? (typeof error.code === 'number' ? error.code : 1) : 0, bytes }),
    );
  });
}

export async function planHash(vault: string, point: string, to: string): Promise<string> {
  const result = await cli(['restore', point, '--to', to, '--vault', vault, '--plan-only', '--json']);
  return z.object({ planHash: z.string() }).parse(oneDocument(result.stdout, result.stderr)).planHash;
}
