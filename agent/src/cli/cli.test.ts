import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { accessSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { failureTexts } from '@diskfleet/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { bundleDiskfleet, type RunOptions, removeBundle, runDiskfleet } from '../testing/runDiskfleet.ts';
import { commands } from './commands.ts';
import { commandHelp } from './help.ts';

const tools = ['sgdisk', 'mke2fs', 'mkfs.fat', 'mkntfs', 'e2fsck'];
const places = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
const toolPath = (name: string) => places.map((place) => join(place, name)).find(exists);
const missing = tools.filter((name) => toolPath(name) === undefined);

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

async function tool(name: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(toolPath(name) ?? name, [...args]);
}

// The names scripts rely on. `strictObject` where the contract lists all names would forbid additions; names only ever get added.
const filesystemShape = z
  .object({
    kind: z.string(),
    label: z.string(),
    uuid: z.string(),
    totalBytes: z.int(),
    usedBytes: z.int(),
    clean: z.boolean().nullable(),
  })
  .nullable();
const partitionShape = z.object({
  number: z.int(),
  startBytes: z.int(),
  sizeBytes: z.int(),
  type: z.string(),
  name: z.string(),
  filesystem: filesystemShape,
});
const inspectShape = z.object({
  sizeBytes: z.int(),
  table: z.enum(['gpt', 'mbr']).nullable(),
  sectorBytes: z.int(),
  partitions: z.array(partitionShape),
  filesystem: filesystemShape,
});
const disksShape = z.array(
  z.object({
    path: z.string(),
    name: z.string(),
    model: z.string(),
    serial: z.string(),
    sizeBytes: z.int(),
    sectorBytes: z.int(),
    bus: z.string(),
    isSystemDisk: z.boolean(),
    removable: z.boolean(),
    table: z.enum(['gpt', 'mbr']).nullable(),
    partitions: z.array(partitionShape),
  }),
);
const vaultShape = z.object({ id: z.string(), encrypted: z.boolean(), points: z.int(), storedBytes: z.int() });
const backupShape = z.object({
  pointId: z.string(),
  kind: z.literal('disk'),
  method: z.enum(['full', 'incremental', 'differential']),
  sourceBytes: z.int(),
  usedBytes: z.int(),
  readBytes: z.int(),
  newBytes: z.int(),
  storedBytes: z.int(),
  seconds: z.number(),
  warnings: z.array(z.string()),
});
const pointsShape = z.array(
  z.object({
    id: z.string(),
    kind: z.string(),
    method: z.string(),
    machine: z.string(),
    source: z.string(),
    createdAt: z.iso.datetime(),
    sizeBytes: z.int(),
    usedBytes: z.int(),
    pinned: z.boolean(),
    comment: z.string(),
    verified: z.null(),
  }),
);
const listShape = z.array(
  z.object({
    name: z.string(),
    type: z.enum(['file', 'directory', 'symlink', 'other']),
    sizeBytes: z.int(),
    modifiedAt: z.iso.datetime().nullable(),
  }),
);
const planShape = z.object({
  planHash: z.string().regex(/^[0-9a-f]{64}$/),
  fits: z.boolean(),
  reasons: z.array(z.object({ code: z.string(), text: z.string() })),
  target: z.object({ path: z.string(), name: z.string(), create: z.boolean() }),
  partitions: z.array(z.object({ number: z.int(), action: z.string(), fromBytes: z.int(), toBytes: z.int() })),
  losses: z.array(z.object({ label: z.string() })),
  bootSteps: z.array(z.string()),
  estimatedBytes: z.int(),
});
const restoreShape = z.object({ writtenBytes: z.int(), skippedBytes: z.int(), comparedBytes: z.int(), seconds: z.number() });
const verifyShape = z.object({
  checkedBytes: z.int(),
  damaged: z.array(z.object({ object: z.string(), points: z.array(z.string()), paths: z.array(z.string()) })),
});
const errorShape = z.object({ error: z.object({ code: z.string(), message: z.string(), guidance: z.string() }) });

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'diskfleet-cli-')));
  await bundleDiskfleet();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await removeBundle();
});

const run = (args: readonly string[], options: RunOptions = {}) =>
  runDiskfleet(args, { cwd: folder, ...options, env: { DISKFLEET_AGENT_DATA: join(folder, 'agent'), ...options.env } });

async function runJson<T>(args: readonly string[], shape: z.ZodType<T>, expectedCode = 0, options: RunOptions = {}): Promise<T> {
  const ran = await run([...args, '--json'], options);
  expect(ran.code, `${args.join(' ')}\n${ran.stdout}\n${ran.stderr}`).toBe(expectedCode);
  return shape.parse(ran.json());
}

const failsWith = (args: readonly string[], expectedCode: number, options: RunOptions = {}) =>
  runJson(args, errorShape, expectedCode, options).then(({ error }) => error.code);

const sha = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
const MIB = 1 << 20;

function never(): never {
  throw new Error('there is no such command');
}

describe('without a disk', () => {
  test('--help lists every command with its group, its examples and the exit codes', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const { name, summary } of commands) expect(stdout).toContain(name) === expect(stdout).toContain(summary);
    expect(stdout).toContain('4 refused for safety');
    expect((await run([])).stdout).toBe(stdout);
  });

  test('every command explains itself, asked as the process or as the table', async () => {
    for (const command of commands) {
      const page = commandHelp(command);
      expect(page).toContain(`usage: diskfleet ${command.name}`);
      expect(page).toContain('Examples');
    }
    const { code, stdout } = await run(['vault', 'create', '--help']);
    expect([code, stdout]).toEqual([0, commandHelp(commands.find(({ name }) => name === 'vault create') ?? never())]);
  });

  test('--version', async () => {
    expect((await run(['--version'])).stdout).toMatch(/^diskfleet \d+\.\d+\.\d+\n$/);
    expect(await runJson(['--version'], z.object({ version: z.string() }))).toBeTruthy();
  });

  test.each([
    [['frobnicate']],
    [['vault']],
    [['inspect']],
    [['inspect', 'a', 'b']],
    [['points', '--nope']],
    [['points']],
    [['backup', 'disk', 'x', '--vault', 'v', '--method', 'sometimes']],
    [['explore', 'latest', 'dance', '--vault', 'v']],
    [['restore', 'latest', '--vault', 'v']],
    [['points', '--vault', 's3://bucket/prefix']],
  ])('wrong usage %j exits 2 with a code', async (args) => {
    expect(await failsWith(args, 2)).toBe('USAGE');
  });

  test('a failure has four parts on stderr and nothing on stdout', async () => {
    const { code, stdout, stderr } = await run(['inspect', 'no-such-file']);
    expect([code, stdout]).toEqual([1, '']);
    const { what, data, todo } = failureTexts.DISK_NOT_FOUND;
    for (const part of [what, data, todo, 'DISK_NOT_FOUND', 'no-such-file']) expect(stderr).toContain(part);
  });

  test('disks lists the fake PC by the contract', async () => {
    await writeFile(join(folder, 'fake.img'), '');
    await truncate(join(folder, 'fake.img'), 2 * MIB);
    const machine = { hostname: 'pc', disks: [{ path: join(folder, 'fake.img'), serial: 'S-1' }] };
    await writeFile(join(folder, 'fake.json'), JSON.stringify(machine));
    const env = { DISKFLEET_PLATFORM: 'fake', DISKFLEET_FAKE_MACHINE: join(folder, 'fake.json') };
    const disks = await runJson(['disks'], disksShape, 0, { env });
    expect(disks).toMatchObject([{ serial: 'S-1', sizeBytes: 2 * MIB, partitions: [] }]);
    expect((await run(['disks'], { env })).stdout).toContain('S-1');
  });

  test('disks lists this PC', async () => {
    await runJson(['disks'], disksShape);
  });

  test('run without an identity says how to get one', async () => {
    expect(await failsWith(['run'], 1)).toBe('NOT_ENROLLED');
  });

  test('enrol with a server that is not there', async () => {
    expect(await failsWith(['enrol', 'http://127.0.0.1:9', 'DF-0123456789abcdef'], 1)).toBe('SERVER_UNREACHABLE');
    expect(await failsWith(['enrol', 'not an address', 'DF-0123456789abcdef'], 1)).toBe('INVALID_INPUT');
  });
});

if (missing.length > 0 && process.env.CI) {
  test('disks made with the real tools', () => {
    throw new Error(`this machine lacks ${missing.join(', ')}`);
  });
}

describe.skipIf(missing.length > 0)(
  `a disk from end to end${missing.length > 0 ? ` (skipped: this machine lacks ${missing.join(', ')})` : ''}`,
  () => {
    const vault = ['--vault', 'vault'];
    const env = { DISKFLEET_PASSPHRASE: 'correct horse' };
    const at = (name: string) => join(folder, name);

    /** GPT: FAT at 1 MiB, ext4 at 16 MiB, NTFS at 32 MiB, each made by its own tool. */
    async function makeDisk(): Promise<void> {
      const tree = at('tree');
      await mkdir(join(tree, 'docs/deep'), { recursive: true });
      await writeFile(join(tree, 'hello.txt'), 'hello from the image\n');
      await writeFile(join(tree, 'docs/big.bin'), Buffer.alloc(3 * MIB, 7));
      await writeFile(join(tree, 'docs/deep/ü.txt'), 'umlaut');
      await symlink('hello.txt', join(tree, 'link'));
      await writeFile(at('disk.img'), '');
      await truncate(at('disk.img'), 48 * MIB);
      const volumes: [string, number, () => Promise<void>][] = [
        ['fat.vol', 15, () => tool('mkfs.fat', ['-n', 'EFI', at('fat.vol')])],
        ['ext.vol', 16, () => tool('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'root', '-d', tree, at('ext.vol')])],
        ['ntfs.vol', 15, makeNtfs],
      ];
      await tool('sgdisk', ['-n1:1M:+15M', '-t1:ef00', '-n2:16M:+16M', '-n3:32M:+15M', '-t3:0700', at('disk.img')]);
      let startMib = 1;
      for (const [name, sizeMib, make] of volumes) {
        await writeFile(at(name), '');
        await truncate(at(name), sizeMib * MIB);
        await make();
        await promisify(execFile)('dd', [
          `if=${at(name)}`,
          `of=${at('disk.img')}`,
          'bs=1M',
          `seek=${startMib}`,
          'conv=notrunc',
          'status=none',
        ]);
        startMib = startMib === 1 ? 16 : 32;
      }
    }

    /** One file, and a stream of it as Windows marks what came from the net. */
    async function makeNtfs(): Promise<void> {
      await tool('mkntfs', ['-q', '-F', '-L', 'data', at('ntfs.vol')]);
      await writeFile(at('zone'), '[ZoneTransfer]');
      await tool('ntfscp', ['-q', at('ntfs.vol'), at('tree/hello.txt'), 'setup.exe']);
      await tool('ntfscp', ['-q', '-N', 'Zone.Identifier', at('ntfs.vol'), at('zone'), 'setup.exe']);
    }

    beforeAll(makeDisk);

    test('inspect', async () => {
      const found = await runJson(['inspect', 'disk.img'], inspectShape);
      expect(found.table).toBe('gpt');
      expect(found.partitions.map(({ filesystem }) => [filesystem?.kind, filesystem?.label])).toEqual([
        [expect.stringMatching(/^fat/), 'EFI'],
        ['ext4', 'root'],
        ['ntfs', 'data'],
      ]);
      const volume = await runJson(['inspect', 'ext.vol'], inspectShape);
      expect(volume).toMatchObject({ table: null, partitions: [], filesystem: { kind: 'ext4', label: 'root', clean: true } });
      expect((await run(['inspect', 'disk.img'])).stdout).toContain('ext4');
    });

    test('vault create, info; a second create is refused; the wrong and no passphrase are named', async () => {
      const made = await runJson(['vault', 'create', 'vault'], vaultShape, 0, { env });
      expect(made).toMatchObject({ encrypted: true, points: 0 });
      expect(await failsWith(['vault', 'create', 'vault'], 1, { env })).toBe('VAULT_EXISTS');
      expect((await runJson(['vault', 'info', ...vault], vaultShape)).id).toBe(made.id);
      expect((await runJson(['vault', 'info', 'vault'], vaultShape)).id).toBe(made.id);
      expect(await failsWith(['vault', 'info', '--vault', 'tree'], 1)).toBe('VAULT_NOT_FOUND');
      expect(await failsWith(['backup', 'disk', 'disk.img', ...vault], 1)).toBe('VAULT_KEY_NEEDED');
      const wrong = { env: { DISKFLEET_PASSPHRASE: 'wrong' } };
      expect(await failsWith(['backup', 'disk', 'disk.img', ...vault], 1, wrong)).toBe('VAULT_WRONG_PASSPHRASE');
      expect(await failsWith(['points', ...vault, '--passphrase-file', 'absent'], 1)).toBe('INVALID_INPUT');
      expect(await runJson(['points', ...vault], pointsShape)).toEqual([]);
      expect(await failsWith(['explore', 'latest', 'ls', ...vault], 1, { env })).toBe('POINT_NOT_FOUND');
    });

    test('backup disk: full, then incremental with nothing new; points newest first', async () => {
      const first = await runJson(['backup', 'disk', 'disk.img', ...vault], backupShape, 0, { env });
      expect(first.method).toBe('full');
      expect(first.sourceBytes).toBe(48 * MIB);
      await writeFile(at('pass.txt'), 'correct horse\nsecond line\n');
      const second = await runJson(['backup', 'disk', 'disk.img', ...vault, '--passphrase-file', 'pass.txt'], backupShape);
      expect([second.method, second.newBytes]).toEqual(['incremental', 0]);
      const points = await runJson(['points', ...vault], pointsShape);
      expect(points.map(({ id }) => id)).toEqual([second.pointId, first.pointId]);
      expect(points[0]?.source).toBe('disk.img');
      expect(await failsWith(['backup', 'disk', 'absent.img', ...vault], 1, { env })).toBe('DISK_NOT_FOUND');
      expect(await failsWith(['backup', 'disk', 'tree', ...vault], 1, { env })).toBe('DISK_WRONG_KIND');
    });

    test('points are selected by latest, id, prefix and name', async () => {
      const [newest, oldest] = await runJson(['points', ...vault], pointsShape);
      const ls = (selector: string) => runJson(['explore', selector, 'ls', '/', ...vault], listShape, 0, { env });
      expect((await ls('latest')).map(({ name }) => name)).toEqual(['1', '2', '3']);
      await ls(oldest?.id ?? '');
      await ls(newest?.id.slice(0, 8) ?? '');
      await ls(`${oldest?.machine}/disk.img@${oldest?.createdAt}`);
      for (const wrong of ['nope', newest?.id.slice(0, 5) ?? '', 'pc/disk.img@1999']) {
        expect(await failsWith(['explore', wrong, 'ls', ...vault], 1, { env })).toBe('POINT_NOT_FOUND');
      }
    });

    test('explore: ls, stat, cat, get', async () => {
      const list = await runJson(['explore', 'latest', 'ls', '/2', ...vault], listShape, 0, { env });
      expect(list.map(({ name, type }) => [name, type])).toEqual([
        ['docs', 'directory'],
        ['hello.txt', 'file'],
        ['link', 'symlink'],
        ['lost+found', 'directory'],
      ]);
      const stat = await runJson(['explore', 'latest', 'stat', '/2/docs/big.bin', ...vault], listShape.element, 0, { env });
      expect(stat.sizeBytes).toBe(3 * MIB);
      expect((await run(['explore', 'latest', 'cat', '/2/hello.txt', ...vault], { env })).stdout).toBe('hello from the image\n');
      expect(await failsWith(['explore', 'latest', 'ls', '/2/none', ...vault], 1, { env })).toBe('PATH_NOT_FOUND');
      expect(await failsWith(['explore', 'latest', 'ls', '/9', ...vault], 1, { env })).toBe('PARTITION_NOT_FOUND');
      const streamed = await run(['explore', 'latest', 'cat', '/3/setup.exe:Zone.Identifier', ...vault], { env });
      expect(streamed.stdout).toBe('[ZoneTransfer]');
      const table = await run(['explore', 'latest', 'ls', '/3', ...vault], { env });
      expect(table.stdout).toMatch(/file .*setup\.exe\nstream .*setup\.exe:Zone\.Identifier/);
      const folderCat = await run(['explore', 'latest', 'cat', '/2/docs', ...vault], { env });
      expect([folderCat.code, folderCat.stdout]).toEqual([1, '']);
      expect(folderCat.stderr).toContain('FS_NOT_A_FILE');
      const got = await run(['explore', 'latest', 'get', '/2', 'got', ...vault], { env });
      expect(got.code).toBe(3);
      expect(got.stderr).toContain('link was left out');
      expect(await sha(at('got/2/docs/big.bin'))).toBe(await sha(at('tree/docs/big.bin')));
      expect(await readFile(at('got/2/docs/deep/ü.txt'), 'utf8')).toBe('umlaut');
      expect((await run(['explore', 'latest', 'get', '/2/hello.txt', 'renamed.txt', ...vault], { env })).code).toBe(0);
      expect(await readFile(at('renamed.txt'), 'utf8')).toBe('hello from the image\n');
      expect((await run(['restore', 'latest', '--path', '/2', '--symlinks', '--to', 'linked', ...vault], { env })).code).toBe(0);
      expect((await readdir(at('linked/2'))).sort()).toEqual(['docs', 'hello.txt', 'link', 'lost+found']);
    });

    test('restore: plan only, not confirmed, confirmed, identical; a changed target is refused', async () => {
      const base = ['restore', 'latest', '--to', 'new.img', ...vault];
      const plan = await runJson([...base, '--plan-only'], planShape, 0, { env });
      expect(plan).toMatchObject({ fits: true, target: { create: true }, losses: [] });
      expect(exists(at('new.img'))).toBe(false);
      const refused = await runJson(base, errorShape.extend({ plan: planShape }), 4, { env });
      expect([refused.error.code, refused.plan.planHash]).toEqual(['PLAN_NOT_CONFIRMED', plan.planHash]);
      const shown = await run(base, { env });
      expect(shown.code).toBe(4);
      expect(shown.stdout).toContain(plan.planHash);
      expect(await failsWith([...base, '--confirm', 'f'.repeat(64)], 4, { env })).toBe('PLAN_CHANGED');
      expect(exists(at('new.img'))).toBe(false);
      await runJson([...base, '--confirm', plan.planHash], restoreShape, 0, { env });
      expect(await sha(at('new.img'))).toBe(await sha(at('disk.img')));
      await tool('e2fsck', ['-fn', `${at('new.img')}?offset=${16 * MIB}`]);
      expect(await failsWith([...base, '--confirm', plan.planHash], 4, { env })).toBe('PLAN_CHANGED');
      const again = await runJson([...base, '--plan-only'], planShape, 0, { env });
      expect(again.losses.map(({ label }) => label)).toEqual(['EFI', 'root', 'data']);
      const skipped = await runJson([...base, '--confirm', again.planHash], restoreShape, 0, { env });
      expect(skipped.skippedBytes).toBeGreaterThan(0);
    });

    test('restore: too small, missing folder, wrong disk number', async () => {
      await writeFile(at('small.img'), '');
      await truncate(at('small.img'), 20 * MIB);
      const plan = await runJson(['restore', 'latest', '--to', 'small.img', '--plan-only', ...vault], planShape, 0, { env });
      expect([plan.fits, plan.reasons[0]?.code]).toEqual([false, 'TARGET_TOO_SMALL']);
      expect(await failsWith(['restore', 'latest', '--to', 'small.img', '--confirm', plan.planHash, ...vault], 1, { env })).toBe(
        'PLAN_DOES_NOT_FIT',
      );
      expect(await failsWith(['restore', 'latest', '--to', 'no/such/folder.img', ...vault], 1, { env })).toBe('DISK_NOT_FOUND');
      expect(await failsWith(['restore', 'latest', '--to', 'x.img', '--disk', '7', ...vault], 1, { env })).toBe(
        'DISK_NOT_IN_POINT',
      );
      expect(await failsWith(['restore', 'latest', '--to', 'x.img', '--disk', 'one', ...vault], 2, { env })).toBe('USAGE');
    });

    test('restore: the system disk and a busy one are refused with exit code 4, and nothing is written', async () => {
      for (const [name, disk, code] of [
        ['system', { isSystemDisk: true }, 'TARGET_IS_SYSTEM_DISK'],
        ['busy', { busyReason: 'mounted at /mnt' }, 'TARGET_IN_USE'],
      ] as const) {
        const path = at(`${name}.img`);
        await writeFile(path, Buffer.alloc(48 * MIB, 1));
        await writeFile(at(`${name}.json`), JSON.stringify({ hostname: 'pc', disks: [{ path, serial: name, ...disk }] }));
        const fake = { ...env, DISKFLEET_PLATFORM: 'fake', DISKFLEET_FAKE_MACHINE: at(`${name}.json`) };
        const before = await sha(path);
        const plan = await runJson(['restore', 'latest', '--to', path, '--plan-only', ...vault], planShape, 0, { env: fake });
        expect(await failsWith(['restore', 'latest', '--to', path, '--confirm', plan.planHash, ...vault], 4, { env: fake })).toBe(
          code,
        );
        expect(await sha(path)).toBe(before);
      }
    });

    test('verify: sound, then a flipped byte is named and exits 1', async () => {
      const sound = await runJson(['verify', '--data', ...vault], verifyShape, 0, { env });
      expect(sound.damaged).toEqual([]);
      const content = await runJson(['verify', 'latest', '--content', ...vault], verifyShape, 0, { env });
      expect(content.checkedBytes).toBeGreaterThan(0);
      const packs = (await readdir(at('vault/packs'), { recursive: true })).map((name) => at(`vault/packs/${name}`));
      for (const pack of packs) {
        const bytes = await readFile(pack).catch(() => null);
        if (bytes === null || bytes.length < 1_000) continue;
        const middle = bytes.length >> 1;
        bytes[middle] = (bytes[middle] ?? 0) ^ 1;
        await rm(pack);
        await writeFile(pack, bytes);
        const hurt = await runJson(['verify', '--data', ...vault], verifyShape.extend(errorShape.shape), 1);
        expect(hurt.error.code).toBe('VAULT_DAMAGED');
        expect(hurt.damaged.length).toBeGreaterThan(0);
        bytes[middle] = (bytes[middle] ?? 0) ^ 1;
        await rm(pack);
        await writeFile(pack, bytes);
        break;
      }
      expect((await run(['verify', '--data', ...vault], { env })).code).toBe(0);
    });

    test('a recovery kit opens a vault without its passphrase', async () => {
      const { createVault, generateVaultKeys } = await import('@diskfleet/vault');
      const keys = generateVaultKeys();
      const made = await createVault({ kind: 'directory', path: at('managed') }, { encryption: { kind: 'keys', keys } });
      await made.close();
      const base64 = (bytes: Uint8Array | null) => Buffer.from(bytes ?? []).toString('base64');
      const kit = `Recovery kit of "Office"\n\nKeep this safe.\n\nvault-id: ${made.id}\nid-key: ${base64(keys.idKey)}\npublic-key: ${base64(keys.publicKey)}\nprivate-key: ${base64(keys.privateKey)}\n`;
      await writeFile(at('kit.txt'), kit);
      const kitOptions = ['--vault', 'managed', '--recovery-kit', 'kit.txt'];
      await runJson(['backup', 'disk', 'ext.vol', ...kitOptions], backupShape);
      expect((await run(['explore', 'latest', 'cat', '/hello.txt', ...kitOptions])).stdout).toBe('hello from the image\n');
      await writeFile(at('bad.txt'), 'not a kit');
      expect(await failsWith(['points', '--vault', 'managed', '--recovery-kit', 'bad.txt'], 1)).toBe('INVALID_INPUT');
    });

    test('an unencrypted vault says so and needs no key', async () => {
      const made = await run(['vault', 'create', 'open', '--unencrypted']);
      expect(made.code).toBe(0);
      expect(made.stderr).toContain('not encrypted');
      await runJson(['backup', 'disk', 'disk.img', '--vault', 'open', '--method', 'full', '--compression', 'none'], backupShape);
      expect((await run(['explore', 'latest', 'cat', '/2/hello.txt', '--vault', 'open'])).stdout).toBe('hello from the image\n');
    });

    test('Ctrl-C ends a backup with exit code 130, no new point, and the next run works', async () => {
      await writeFile(at('large.img'), randomBytes(160 * MIB));
      const before = await runJson(['points', '--vault', 'open'], pointsShape);
      const stopped = await run(['backup', 'disk', 'large.img', '--vault', 'open'], {
        onStart: (child) => {
          child.stderr?.on('data', (text) => {
            if (String(text).includes('read:')) child.kill('SIGINT');
          });
        },
      });
      expect(stopped.code).toBe(130);
      expect(stopped.stdout).toBe('');
      expect(stopped.stderr).toContain('CANCELLED');
      expect(await runJson(['points', '--vault', 'open'], pointsShape)).toEqual(before);
      await runJson(['backup', 'disk', 'large.img', '--vault', 'open'], backupShape);
      expect((await run(['verify', '--data', '--vault', 'open'])).code).toBe(0);
    });
  },
);

test('the launcher passes arguments, output and exit codes through', async () => {
  const launcher = fileURLToPath(new URL('../../bin/diskfleet.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [launcher, '--version']);
  expect(stdout).toMatch(/^diskfleet /);
  await expect(promisify(execFile)(process.execPath, [launcher, 'nonsense'])).rejects.toMatchObject({ code: 2 });
});
