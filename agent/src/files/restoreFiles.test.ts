import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EngineError, type ExploreEntry, type Explorer } from '@diskfleet/engine';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FilesToRestore, restoreFiles } from './restoreFiles.ts';
import { numberedName, staysInside } from './safeName.ts';

/** Stands for the folder outside, whose path is known only while a test runs. */
const outsideMark = '<outside>';

let base: string;
let destination: string;
let outside: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'diskfleet-files-')));
  destination = join(base, 'back');
  outside = join(base, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'untouched');
});
afterEach(() => rm(base, { recursive: true, force: true }));

type Tree =
  | { type: 'directory'; children: readonly (readonly [string, Tree])[]; mode?: number; modifiedAtMs?: number }
  | { type: 'file'; content: Buffer; mode?: number; modifiedAtMs?: number; sizeBytes?: number }
  | { type: 'symlink'; target: string }
  | { type: 'other'; mode?: number };

const file = (text: string, more: { mode?: number; modifiedAtMs?: number; sizeBytes?: number } = {}): Tree => ({
  type: 'file',
  content: Buffer.from(text),
  ...more,
});
const folder = (children: readonly (readonly [string, Tree])[], more: { mode?: number } = {}): Tree => ({
  type: 'directory',
  children,
  ...more,
});

/** An image that says exactly what a test wants it to say, names no honest filesystem has included. */
function explorerOf(root: Tree): Explorer {
  const entryOf = (name: string, tree: Tree): ExploreEntry => ({
    name,
    type: tree.type,
    sizeBytes: tree.type === 'file' ? (tree.sizeBytes ?? tree.content.length) : 0,
    modifiedAtMs: 'modifiedAtMs' in tree ? (tree.modifiedAtMs ?? null) : null,
    mode: 'mode' in tree ? (tree.mode ?? null) : null,
    linkTarget: tree.type === 'symlink' ? tree.target : null,
    partition: null,
    listable: tree.type === 'directory',
  });
  // Paths are looked up by what was listed, so a name with a slash in it is found as well.
  const byPath = new Map<string, { name: string; tree: Tree }>([['/2', { name: '2', tree: root }]]);
  const find = (path: string) => {
    const found = byPath.get(path.replace(/\/$/, ''));
    if (found === undefined) throw new EngineError('PATH_NOT_FOUND', path);
    return found;
  };
  const fill = (path: string, tree: Tree, depth: number) => {
    if (tree.type !== 'directory' || depth > 400) return;
    for (const [name, child] of tree.children) {
      byPath.set(`${path}/${name}`, { name, tree: child });
      fill(`${path}/${name}`, child, depth + 1);
    }
  };
  fill('/2', root, 0);
  return {
    layout: {
      sizeBytes: 0,
      sectorBytes: 512,
      table: 'gpt',
      tableId: null,
      partitions: [],
      filesystem: null,
      fingerprint: '',
      warnings: [],
    },
    async *list(path) {
      const { tree } = find(path);
      if (tree.type === 'directory') for (const [name, child] of tree.children) yield entryOf(name, child);
    },
    stat: async (path) => {
      const { name, tree } = find(path);
      return entryOf(name, tree);
    },
    open: async (path) => {
      const { name, tree } = find(path);
      if (tree.type !== 'file') throw new EngineError('PATH_NOT_FOUND', path);
      return {
        entry: entryOf(name, tree),
        sizeBytes: tree.sizeBytes ?? tree.content.length,
        read: async () => {},
        async *stream() {
          yield tree.content;
        },
      };
    },
  };
}

/** Where a path leads when every link is followed, also when its end does not exist. A loop leads nowhere: to where it began. */
async function followAll(path: string): Promise<string> {
  let at = '/';
  const left = path.split('/');
  for (let steps = 0; left.length > 0; steps += 1) {
    if (steps > 200) return destination;
    const part = left.shift();
    if (part === undefined || part === '' || part === '.') continue;
    if (part === '..') {
      at = join(at, '..');
      continue;
    }
    const target = await readlink(join(at, part)).catch(() => null);
    if (target === null) at = join(at, part);
    else {
      if (target.startsWith('/')) at = '/';
      left.unshift(...target.split('/'));
    }
  }
  return at;
}

const op = { now: () => new Date('2026-11-22T12:00:00Z') };

function restore(root: Tree, more: Partial<FilesToRestore> = {}) {
  const explorer = explorerOf(root);
  const request: FilesToRestore = {
    explorer,
    paths: ['/2'],
    destination,
    name: null,
    overwrite: 'never',
    symlinks: 'none',
    maxTotalBytes: 1 << 30,
    ...more,
  };
  return restoreFiles(request, op);
}

/** Every path below `top` with its kind, links not followed. */
async function walk(top: string, at = ''): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(join(top, at))) {
    const path = join(at, name);
    const stat = await lstat(join(top, path));
    found.push(`${stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'other'} ${path}`);
    if (stat.isDirectory()) found.push(...(await walk(top, path)));
  }
  return found.sort();
}

describe('an honest tree', () => {
  test('comes back with content, times and modes', async () => {
    const modifiedAtMs = Date.parse('2020-02-03T04:05:06Z');
    const root = folder([
      ['a.txt', file('hello', { mode: 0o640, modifiedAtMs })],
      ['sub', folder([['b', file('')]], { mode: 0o750 })],
    ]);
    const result = await restore(root);
    expect(result).toMatchObject({ files: 2, writtenBytes: 5, skipped: 0, warnings: [] });
    expect(await readFile(join(destination, '2/a.txt'), 'utf8')).toBe('hello');
    const stat = await lstat(join(destination, '2/a.txt'));
    expect([stat.mode & 0o7777, stat.mtimeMs]).toEqual([0o640, modifiedAtMs]);
    expect((await lstat(join(destination, '2/sub'))).mode & 0o7777).toBe(0o750);
  });

  test('one path only, under another name when asked', async () => {
    const root = folder([['a', file('x')]]);
    await restore(root, { paths: ['/2/a'], name: 'b' });
    expect(await walk(destination)).toEqual(['file b']);
  });

  test('a mistyped path changes nothing at all', async () => {
    await expect(restore(folder([['a', file('x')]]), { paths: ['/2/a', '/2/nope'] })).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
    });
    expect(await walk(base)).not.toContain('folder back');
  });

  test('zeros become holes and still count', async () => {
    const content = Buffer.concat([Buffer.from('x'), Buffer.alloc(1 << 20)]);
    await restore(
      folder([
        ['big', { type: 'file', content: Buffer.alloc(4 << 20) }],
        ['end', { type: 'file', content }],
      ]),
    );
    const stat = await lstat(join(destination, '2/big'));
    expect(stat.size).toBe(4 << 20);
    expect(stat.blocks).toBe(0);
    expect(await readFile(join(destination, '2/end'))).toEqual(content);
  });

  test('no temporary name is left behind', async () => {
    await restore(
      folder([
        ['a', file('1')],
        ['b', file('2')],
      ]),
      { overwrite: 'always' },
    );
    await restore(folder([['a', file('3')]]), { overwrite: 'keepBoth' });
    await restore(folder([['a', file('4')]]), { overwrite: 'never' });
    expect(await walk(destination)).toEqual(['file 2/a', 'file 2/a (restored)', 'file 2/b', 'folder 2']);
  });
});

describe('what is there already', () => {
  const old = Date.parse('2020-01-01T00:00:00Z');
  const young = Date.parse('2024-01-01T00:00:00Z');
  async function there(text: string, ms: number) {
    await mkdir(join(destination, '2'), { recursive: true });
    await writeFile(join(destination, '2/a.txt'), text);
    await utimes(join(destination, '2/a.txt'), ms / 1000, ms / 1000);
  }
  const content = () => readFile(join(destination, '2/a.txt'), 'utf8');

  test.each([
    ['never', old, young, 'mine'],
    ['always', young, old, 'image'],
    ['ifNewer', old, young, 'image'],
    ['ifNewer', young, old, 'mine'],
    ['keepBoth', old, young, 'mine'],
  ] as const)('%s: there of %i, image of %i → %s', async (overwrite, thereMs, imageMs, expected) => {
    await there('mine', thereMs);
    await restore(folder([['a.txt', file('image', { modifiedAtMs: imageMs })]]), { overwrite });
    expect(await content()).toBe(expected);
    const both = await readdir(join(destination, '2'));
    expect(both.length).toBe(overwrite === 'keepBoth' ? 2 : 1);
  });

  test.each(['never', 'ifNewer', 'always', 'keepBoth'] as const)(
    '%s: a link in the place of a file is never written through',
    async (overwrite) => {
      await mkdir(join(destination, '2'), { recursive: true });
      await symlink(join(outside, 'secret'), join(destination, '2/a'));
      await restore(folder([['a', file('evil', { modifiedAtMs: Date.now() + 1e9 })]]), { overwrite });
      expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('untouched');
    },
  );

  test.each(['never', 'ifNewer', 'always', 'keepBoth'] as const)(
    '%s: a link in the place of a folder is never entered',
    async (overwrite) => {
      await mkdir(join(destination, '2'), { recursive: true });
      await symlink(outside, join(destination, '2/sub'));
      const result = await restore(
        folder([
          [
            'sub',
            folder([
              ['secret', file('evil')],
              ['new', file('evil')],
            ]),
          ],
        ]),
        { overwrite },
      );
      expect(await walk(outside)).toEqual(['file secret']);
      expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('untouched');
      expect(result.warnings).toHaveLength(1);
    },
  );

  test('a folder in the place of a file stays', async () => {
    await mkdir(join(destination, '2/a'), { recursive: true });
    const result = await restore(folder([['a', file('x')]]), { overwrite: 'always' });
    expect(result.skipped).toBe(1);
    expect(await walk(destination)).toEqual(['folder 2', 'folder 2/a']);
  });
});

describe('the destination', () => {
  test('is made with its parents', async () => {
    await restore(folder([['a', file('x')]]), { destination: join(base, 'x/y/z') });
    expect(await walk(join(base, 'x'))).toEqual(['file y/z/2/a', 'folder y', 'folder y/z', 'folder y/z/2']);
  });

  test.each([
    ['a link planted in its path', async () => symlink(outside, join(base, 'planted')).then(() => join(base, 'planted/deep'))],
    ['a link at its end', async () => symlink(outside, join(base, 'planted')).then(() => join(base, 'planted'))],
    ['a file in its path', async () => join(outside, 'secret/deep')],
    ['a way up', async () => `${base}/back/../outside`],
    ['a relative path', async () => 'back'],
  ])('%s is refused', async (_what, make) => {
    await expect(restore(folder([['a', file('x')]]), { destination: await make() })).rejects.toMatchObject({
      code: 'DESTINATION_UNSAFE',
    });
    expect(await walk(outside)).toEqual(['file secret']);
  });
});

const badNames = [
  '',
  '.',
  '..',
  '/',
  '//',
  '/etc/passwd',
  '../x',
  '../../x',
  'a/../../x',
  'a/b',
  '\0',
  'a\0b',
  'x'.repeat(256),
  '..\0',
  'é'.repeat(128),
];

describe('names no file may have', () => {
  for (const name of badNames) {
    for (const [kind, tree] of [
      ['file', file('evil')],
      ['folder', folder([['inner', file('evil')]])],
      ['link', { type: 'symlink', target: '/etc/passwd' } satisfies Tree],
    ] as const) {
      test(`${kind} ${JSON.stringify(name.slice(0, 20))} is left out and named`, async () => {
        const result = await restore(
          folder([
            [name, tree],
            ['good', file('ok')],
          ]),
          { symlinks: 'all', overwrite: 'always' },
        );
        expect(await walk(destination)).toEqual(['file 2/good', 'folder 2']);
        expect(result.warnings).toHaveLength(1);
      });
    }
  }
});

describe('links', () => {
  const insideTargets = ['a', './a', 'sub/b', 'sub', '../2/a', 'sub/./b', 'missing', 'a b', 'ü'];
  const outsideTargets = [
    '/etc/passwd',
    '/',
    '../../x',
    '../../../etc',
    'sub/../../../x',
    'a/..',
    'sub/../a',
    '../../back/2/a',
    '',
  ];
  const around = (target: string) =>
    folder([
      ['l', { type: 'symlink', target }],
      ['a', file('A')],
      ['sub', folder([['b', file('B')]])],
    ]);

  for (const target of [...insideTargets, ...outsideTargets]) {
    test(`to ${JSON.stringify(target)}: none makes none`, async () => {
      await restore(around(target), { symlinks: 'none' });
      expect((await walk(destination)).some((path) => path.startsWith('link'))).toBe(false);
    });
  }
  for (const target of insideTargets) {
    test(`to ${JSON.stringify(target)} stays inside and is made`, async () => {
      await restore(around(target), { symlinks: 'inside' });
      expect(await readlink(join(destination, '2/l'))).toBe(target);
    });
  }
  for (const target of outsideTargets) {
    test(`to ${JSON.stringify(target)} may lead outside and is left out`, async () => {
      const result = await restore(around(target), { symlinks: 'inside' });
      expect((await walk(destination)).some((path) => path.startsWith('link'))).toBe(false);
      expect(result.skipped).toBe(1);
    });
  }

  for (const overwrite of ['never', 'ifNewer', 'always', 'keepBoth'] as const) {
    for (const target of ['/tmp', outsideMark, '..', '../..', '.']) {
      test(`${overwrite}: a link ${target} and a folder of the same name: nothing is written through it`, async () => {
        const real = target === outsideMark ? outside : target;
        const both = folder([
          ['x', { type: 'symlink', target: real }],
          [
            'x',
            folder([
              ['secret', file('evil')],
              ['planted', file('evil')],
            ]),
          ],
        ]);
        await restore(both, { symlinks: 'all', overwrite });
        await restore(both, { symlinks: 'all', overwrite });
        expect(await walk(outside)).toEqual(['file secret']);
        expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('untouched');
        const planted = (await walk(base)).filter((path) => path.includes('planted'));
        expect(planted[0]).toBe('file back/2/x/planted');
        expect(planted.every((path) => path.startsWith('file back/2/x/planted'))).toBe(true);
      });
    }
  }

  test('what stays inside by its text stays inside in truth, links to links included', async () => {
    const part = fc.constantFrom('..', '.', 'a', 'b', 'l1', 'l2', 'l3');
    const target = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
    await fc.assert(
      fc.asyncProperty(target, target, target, async (one, two, three) => {
        const links = folder([
          [
            'a',
            folder([
              ['b', folder([['l1', { type: 'symlink', target: one }]])],
              ['l2', { type: 'symlink', target: two }],
            ]),
          ],
          ['l3', { type: 'symlink', target: three }],
          ['b', folder([])],
        ]);
        await rm(destination, { recursive: true, force: true });
        await restore(links, { symlinks: 'inside' });
        for (const path of (await walk(destination)).filter((found) => found.startsWith('link '))) {
          const whole = join(destination, path.slice('link '.length));
          const real = await followAll(whole);
          expect(real.startsWith(destination), `${whole} leads to ${real}`).toBe(true);
        }
      }),
      { numRuns: 40, seed: 7 },
    );
  });
});

describe('what is no file', () => {
  test.each([0o060660, 0o020666, 0o010644, 0o140755])('a special entry of mode %o is not made', async (mode) => {
    const result = await restore(folder([['dev', { type: 'other', mode }]]));
    expect(await walk(destination)).toEqual(['folder 2']);
    expect(result.warnings[0]).toContain('device');
  });

  test.each([0o4755, 0o2755, 0o6777, 0o1777, 0o104755, 0o177777])('mode %o loses setuid, setgid and sticky', async (mode) => {
    await restore(
      folder([
        ['a', file('x', { mode })],
        ['d', folder([], { mode })],
      ]),
    );
    for (const name of ['a', 'd']) expect((await lstat(join(destination, '2', name))).mode & 0o7777).toBe(mode & 0o777);
  });
});

describe('lies about size and depth', () => {
  test('a stream longer than the file says it is ends the run', async () => {
    await expect(restore(folder([['a', file('abcdef', { sizeBytes: 3 })]]))).rejects.toMatchObject({
      code: 'RESTORE_PATH_UNSAFE',
    });
    expect(await walk(destination)).toEqual(['folder 2']);
  });

  test('the cap on bytes holds over all files', async () => {
    const many = Array.from({ length: 10 }, (_, n): [string, Tree] => [`f${n}`, file('x'.repeat(1_000))]);
    await expect(restore(folder(many), { maxTotalBytes: 3_500 })).rejects.toMatchObject({ code: 'RESTORE_PATH_UNSAFE' });
    expect((await walk(destination)).filter((path) => path.startsWith('file')).length).toBe(3);
  });

  test('folders nested without end are cut', async () => {
    let deep: Tree = file('end');
    for (let n = 0; n < 300; n += 1) deep = folder([['d', deep]]);
    const result = await restore(folder([['top', deep]]));
    expect(result.warnings.join()).toContain('too deep');
  });

  test('times no calendar knows are left out', async () => {
    for (const modifiedAtMs of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300]) {
      await restore(folder([['a', file('x', { modifiedAtMs })]]), { overwrite: 'always' });
    }
    expect(await walk(destination)).toEqual(['file 2/a', 'folder 2']);
  });

  test('cancelling leaves no half file', async () => {
    const abort = new AbortController();
    const explorer = explorerOf(
      folder([
        ['a', file('x')],
        ['b', file('y')],
      ]),
    );
    const request: FilesToRestore = {
      explorer,
      paths: ['/2'],
      destination,
      name: null,
      overwrite: 'never',
      symlinks: 'none',
      maxTotalBytes: 1 << 30,
    };
    const onProgress = () => abort.abort();
    await expect(restoreFiles(request, { ...op, onProgress, signal: abort.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await walk(destination)).some((path) => path.includes('.diskfleet-'))).toBe(false);
  });
});

test('hostile trees by chance: nothing outside the destination is ever made, changed or removed', async () => {
  const name = fc.oneof(
    fc.constantFrom(...badNames, 'a', 'b', 'x', 'secret', 'outside', 'back', '2', 'Ω', 'a\u202eb', '-rf', '$(id)', '`id`', ' '),
    fc.string({ maxLength: 12 }),
  );
  const mode = fc.option(fc.integer({ min: 0, max: 0o177777 }), { nil: undefined });
  const { tree } = fc.letrec<{ tree: Tree; node: Tree }>((tie) => ({
    tree: fc.record({
      type: fc.constant('directory' as const),
      children: fc.array(fc.tuple(name, tie('node')), { maxLength: 5 }),
      mode: mode,
    }),
    node: fc.oneof(
      { maxDepth: 4 },
      fc.record({
        type: fc.constant('file' as const),
        content: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
        mode: mode,
      }),
      fc.record({
        type: fc.constant('symlink' as const),
        target: fc.oneof(name, fc.constantFrom('../../outside', '/etc', '../..', 'a/../../..')),
      }),
      fc.record({ type: fc.constant('other' as const) }),
      tie('tree'),
    ),
  }));
  const rule = fc.constantFrom('never', 'ifNewer', 'always', 'keepBoth');
  const before = await walk(outside);
  await fc.assert(
    fc.asyncProperty(tree, rule, fc.constantFrom('none', 'inside', 'all'), async (root, overwrite, symlinks) => {
      await restore(root, { overwrite, symlinks });
      // A second time over what the first one left, links of the image included.
      await restore(root, { overwrite, symlinks });
      expect(await walk(outside)).toEqual(before);
      expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('untouched');
      expect((await readdir(base)).sort()).toEqual(['back', 'outside']);
      expect((await walk(destination)).some((path) => path.startsWith('other'))).toBe(false);
      // The image may have taken our own right to look.
      await promisify(execFile)('chmod', ['-R', 'u+rwX', destination]);
      await rm(destination, { recursive: true, force: true });
    }),
    { numRuns: 200, seed: 20261122 },
  );
}, 60_000);

test('numbered names keep their extension and fit', () => {
  expect(numberedName('a.txt', 1)).toBe('a (restored).txt');
  expect(numberedName('a.txt', 2)).toBe('a (restored 2).txt');
  expect(numberedName('.profile', 1)).toBe('.profile (restored)');
  expect(Buffer.byteLength(numberedName(`${'é'.repeat(127)}x`, 3))).toBeLessThanOrEqual(255);
  expect(staysInside(['a', 'l'], '..')).toBe(true);
  expect(staysInside(['l'], '..')).toBe(false);
});
