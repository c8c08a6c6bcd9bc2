import { randomBytes } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { exportRaw } from '@diskfleet/engine';
import { exportPoint, type PointHeader, type Unlock, type Vault, VaultError } from '@diskfleet/vault';
import { AgentError } from '../errors.ts';
import { formatBytes, plural } from '../words.ts';
import type { Args, Cli, Command, CommandResult } from './command.ts';
import { convertImage, isConverted, needQemu } from './convertImage.ts';
import { operationOf } from './operation.ts';
import { noMore, required } from './parse.ts';
import { fileSecret, openFirst, splitBytesOf } from './portable.ts';
import { diskIndexOf } from './restore.ts';
import { newPassphrase, otherPassphrase } from './secrets.ts';
import { selectPoint } from './selectPoint.ts';
import { pointVault, vaultOptions, withVault } from './vaultAccess.ts';

export const exportCommand: Command = {
  name: 'export',
  group: 'Restore',
  summary: 'Save a restore point as one file: to carry away, or as a disk image.',
  usage: '<point> <file.adi|.raw|.qcow2|.vhd|.vmdk> --vault FOLDER',
  details: `A portable file (.adi) holds the whole point and opens with a passphrase alone, by every command that takes a restore point:
the passphrase of the vault, unless another is given (--file-passphrase-file or DISKFLEET_FILE_PASSPHRASE). Its keys are its own: who has the file and
its passphrase can open nothing else of the vault. With --split it becomes FILE.adi, FILE.adi.001 and so on; keep the parts in one folder.
.raw is a plain image of one disk, with holes where nothing was. .qcow2, .vhd and .vmdk need qemu-img, and room for a raw image beside
the file while they are made. An existing file is never overwritten.`,
  options: {
    ...vaultOptions,
    split: { type: 'string', value: 'SIZE', help: 'For .adi: cut into files of this size, such as 4GiB.' },
    'file-passphrase-file': { type: 'string', value: 'FILE', help: 'For .adi: protect the file with the first line of FILE.' },
    disk: { type: 'string', value: 'N', help: 'For images: which disk of the point, counted from 0; default 0.' },
  },
  examples: [
    'diskfleet export latest /media/usb/office.adi --vault /mnt/backup/vault --split 4GiB',
    'diskfleet export latest office.qcow2 --vault /mnt/backup/vault',
  ],
  async run(cli, args) {
    const selector = required(args.positionals[0], 'The restore point');
    const path = resolve(required(args.positionals[1], 'The file to write'));
    noMore(args.positionals, 2);
    const extension = extname(path).toLowerCase();
    const partBytes = splitBytesOf(args.text('split'));
    const portable = extension === '.adi' || extension === '.afi';
    if (!portable && extension !== '.raw' && !isConverted(extension)) {
      throw new AgentError('USAGE', `the file must end in .adi, .afi, .raw, .qcow2, .vhd or .vmdk, not "${extension}"`);
    }
    if (!portable && partBytes !== null) throw new AgentError('USAGE', '--split is for .adi and .afi files');
    const { vault, unlock } = await openFirst(cli, args, pointVault(cli, args, selector));
    return withVault(vault, async () => {
      const point = selectPoint(await vault.listPoints(), selector);
      if (portable) return exportPortable(cli, args, { vault, unlock, point, path, partBytes });
      return exportImage(cli, args, { vault, point, path, extension });
    });
  },
};

interface Portable {
  readonly vault: Vault;
  readonly unlock: Unlock;
  readonly point: PointHeader;
  readonly path: string;
  readonly partBytes: number | null;
}

async function exportPortable(cli: Cli, args: Args, wanted: Portable): Promise<CommandResult> {
  const { vault, unlock, point, path, partBytes } = wanted;
  const right = point.kind === 'file' ? '.afi' : '.adi';
  if (extname(path).toLowerCase() !== right)
    throw new AgentError('USAGE', `a restore point of kind ${point.kind} goes into a file ending in ${right}`);
  const passphrase = await passphraseOfFile(cli, args, { unlock, encrypted: vault.encrypted });
  const { op, end } = operationOf(cli);
  const none = { newBytes: 0, storedBytes: 0, skippedBytes: 0 };
  const { files, bytes } = await exportPoint(vault, {
    pointId: point.id,
    path,
    partBytes,
    passphrase,
    now: cli.now,
    signal: cli.signal,
    onProgress: (doneBytes, totalBytes) => op.onProgress?.({ phase: 'store', doneBytes, totalBytes, ...none }),
  }).finally(end);
  const warnings = passphrase === null ? ['the file is not encrypted: anyone who has it can read the backup'] : [];
  for (const warning of warnings) await cli.stderr.write(`Note: ${warning}\n`);
  const text = `Exported ${point.id} to ${path}: ${plural(files.length, 'file')}, ${formatBytes(bytes)}.`;
  return { json: { pointId: point.id, bytes, files, encrypted: passphrase !== null }, text };
}

async function passphraseOfFile(cli: Cli, args: Args, vault: { unlock: Unlock; encrypted: boolean }): Promise<string | null> {
  const own = await otherPassphrase(cli, args, fileSecret);
  if (own !== null) return own;
  if (!vault.encrypted) return null;
  return vault.unlock.kind === 'passphrase' ? vault.unlock.passphrase : newPassphrase(cli, args);
}

interface Image {
  readonly vault: Vault;
  readonly point: PointHeader;
  readonly path: string;
  readonly extension: string;
}

async function exportImage(cli: Cli, args: Args, { vault, point, path, extension }: Image): Promise<CommandResult> {
  const converted = isConverted(extension);
  if (converted) await needQemu(cli.signal);
  await refuseExisting(path);
  const mark = randomBytes(4).toString('hex');
  const [raw, made] = converted ? [`${path}.${mark}.raw`, `${path}.${mark}.partial`] : [path, null];
  const { op, end } = operationOf(cli);
  try {
    const { warnings } = await exportRaw(vault, { pointId: point.id, diskIndex: diskIndexOf(args), path: raw }, op);
    if (made !== null) {
      await convertImage({ raw, to: made, extension }, cli.signal);
      await refuseExisting(path);
      await rename(made, path);
    }
    const bytes = (await stat(path)).size;
    const text = `Exported ${point.id} to ${path}: ${formatBytes(bytes)}.`;
    return { json: { pointId: point.id, bytes, files: [path], warnings }, text, warnings };
  } finally {
    await end();
    if (made !== null) for (const one of [raw, made]) await rm(one, { force: true });
  }
}

async function refuseExisting(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found !== null) throw new VaultError('PORTABLE_EXISTS', `${path} exists already`);
}
