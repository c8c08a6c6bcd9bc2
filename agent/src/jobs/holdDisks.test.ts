import type { LiveSource, Progress, RunLogLine } from '@diskfleet/engine';
import { describe, expect, test } from 'vitest';
import type { LiveDisks, LiveOpened, Platform, PlatformDisk } from '../platform/types.ts';
import { holdDisks } from './holdDisks.ts';

const diskNamed = (name: string, mountPoints: readonly string[] = []): PlatformDisk => ({
  ...{ key: `serial:${name}`, path: `/dev/${name}`, name, model: '', serial: name, sizeBytes: 1, sectorBytes: 512, bus: 'sata' },
  ...{ removable: false, readOnly: false },
  use: {
    isSystemDisk: false,
    busyReason: mountPoints.length === 0 ? null : `mounted at ${mountPoints.join(', ')}`,
    mounts: mountPoints.map((mountPoint) => ({ mountPoint, startBytes: 0 })),
  },
});
const source: LiveSource = {
  takeChanges: async () => [],
  freeze: async () => ({ thaw: async () => true }),
  changesSince: async () => null,
  keep: async () => {},
};

/** Opens each disk as the table says. */
function platformOf(opened: Readonly<Record<string, LiveOpened>>, live: Partial<LiveDisks> = {}): Platform {
  const fail = async () => {
    throw new Error('not asked for');
  };
  return {
    name: 'linux',
    machine: fail,
    look: fail,
    live: {
      open: async ({ name }) => opened[name] ?? { kind: 'idle' },
      isHolding: () => false,
      whenLetGo: async () => {},
      close: () => {},
      ...live,
    },
  };
}
const options = { allowInconsistent: false, writesTo: [], keepFollowing: false };
const refused: LiveOpened = { kind: 'none', reasons: ['this needs root', 'it is on RAID'] };

describe('disks in use', () => {
  test('a live source for those that are written, nothing for the others; what cannot be frozen is warned of', async () => {
    const closed: string[] = [];
    const opened: LiveOpened = { kind: 'live', method: 'precopy', source, warnings: ['vfat'], close: () => closed.push('sda') };
    const held = await holdDisks(
      platformOf({ sda: opened }),
      [{ disk: diskNamed('sda', ['/']) }, { disk: diskNamed('sdb') }],
      options,
    );
    expect([held.liveOf(diskNamed('sda')), held.liveOf(diskNamed('sdb'))]).toEqual([{ live: source }, {}]);
    expect(held.warnings).toEqual(['vfat']);
    held.close();
    expect(closed).toEqual(['sda']);
  });

  test('refused with every reason, and what was opened before is closed', async () => {
    const closed: string[] = [];
    const opened: LiveOpened = { kind: 'live', method: 'precopy', source, warnings: [], close: () => closed.push('sda') };
    const platform = platformOf({ sda: opened, sdb: refused });
    const both = [{ disk: diskNamed('sda', ['/']) }, { disk: diskNamed('sdb', ['/srv']) }];
    await expect(holdDisks(platform, both, options)).rejects.toMatchObject({
      code: 'LIVE_UNSUPPORTED',
      message: 'sdb is in use (mounted at /srv): this needs root; it is on RAID',
    });
    expect(closed).toEqual(['sda']);
  });

  test('half old and half new only when asked for, and said', async () => {
    const platform = platformOf({ sdb: refused });
    const held = await holdDisks(platform, [{ disk: diskNamed('sdb', ['/srv']) }], { ...options, allowInconsistent: true });
    expect(held.liveOf(diskNamed('sdb'))).toEqual({});
    expect(held.warnings).toEqual([expect.stringMatching(/this needs root; it is on RAID\. .*half old, half new/)]);
  });

  test('a platform that cannot hold anything refuses mounted disks and takes others', async () => {
    const { live: _, ...without } = platformOf({});
    await expect(holdDisks(without, [{ disk: diskNamed('sda', ['/']) }], options)).rejects.toMatchObject({
      code: 'LIVE_UNSUPPORTED',
    });
    expect((await holdDisks(without, [{ disk: diskNamed('sda') }], options)).warnings).toEqual([]);
  });

  test('nothing is told while volumes are held: lines wait, progress is left out', async () => {
    const told: string[] = [];
    let holding = true;
    let letGo = () => {};
    const whenLetGo = () =>
      new Promise<void>((resolve) => {
        letGo = resolve;
      });
    const held = await holdDisks(platformOf({}, { isHolding: () => holding, whenLetGo }), [], options);
    const op = held.quiet({
      now: () => new Date(0),
      onLog: ({ text }: RunLogLine) => told.push(text),
      onProgress: ({ phase }: Progress) => told.push(phase),
    });
    const progress = { phase: 'read' as const, doneBytes: 0, totalBytes: 0, newBytes: 0, storedBytes: 0, skippedBytes: 0 };
    op.onLog?.({ level: 'info', text: 'line' });
    op.onProgress?.(progress);
    expect(told).toEqual([]);
    holding = false;
    letGo();
    await Promise.resolve();
    op.onProgress?.(progress);
    expect(told).toEqual(['line', 'read']);
  });
});
