import { existsSync, mkdtempSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readBytes } from './blockDevice.ts';
import { deviceNumber, geometryFromSysfs } from './file/geometry.ts';
import { libc } from './file/libc.ts';
import { openFileDevice, openWritableFileDevice } from './index.ts';
import { memoryDevice } from './memoryDevice.ts';
import { overlayDevice } from './overlayDevice.ts';
import { sliceDevice } from './sliceDevice.ts';
import { blockDeviceContract } from './testing/blockDeviceContract.ts';
import { loopDevice } from './testing/loopDevice.ts';
import { run, scratchFolder } from './testing/machine.ts';
import { missingNeeds, titled } from './testing/missingNeeds.ts';

const scratch = scratchFolder();
const folder = scratch.path;
afterAll(scratch.remove);
const noLoop = missingNeeds('root', 'loop devices', 'losetup', 'mkfs.ext4');
let files = 0;
function fileWith(content: Uint8Array): string {
  files += 1;
  const path = join(folder, `disk-${files}.img`);
  writeFileSync(path, content);
  return path;
}

blockDeviceContract('memory', async (content) => ({ device: memoryDevice(content) }));
blockDeviceContract('slice', async (content) => {
  const outer = memoryDevice(Buffer.concat([Buffer.alloc(4096, 1), content, Buffer.alloc(512, 2)]));
  return {
    device: sliceDevice(outer, 4096, content.length),
    cleanup: async () => {
      expect((await readBytes(outer, 0, 4096)).every((byte) => byte === 1)).toBe(true);
      expect((await readBytes(outer, 4096 + content.length, 512)).every((byte) => byte === 2)).toBe(true);
    },
  };
});
blockDeviceContract('overlay', async (content) => {
  const kept = Buffer.from(content);
  return { device: overlayDevice(memoryDevice(content)), cleanup: () => expect(content.equals(kept)).toBe(true) };
});
blockDeviceContract('read-only file', async (content) => ({ device: await openFileDevice(fileWith(content)) }));
blockDeviceContract('writable file', async (content) => {
  const path = fileWith(content);
  return { device: await openWritableFileDevice(path), reopen: () => openFileDevice(path) };
});
describe.skipIf(noLoop !== null)(titled('loop devices', noLoop), () => {
  for (const sectorBytes of [512, 4096]) {
    blockDeviceContract(`loop device of ${sectorBytes}-byte sectors`, async (content) => {
      const loop = loopDevice(fileWith(content), { sectorBytes });
      return {
        device: await openWritableFileDevice(loop.path),
        reopen: () => openFileDevice(loop.path),
        cleanup: () => loop.detach(),
      };
    });
  }

  it('reads past the page cache when asked, at any offset and length', async () => {
    const content = Buffer.alloc((3 << 20) + 512);
    for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(at, at);
    const loop = loopDevice(fileWith(content), { sectorBytes: 512 });
    try {
      const device = await openFileDevice(loop.path, { uncached: true });
      const places = [
        [0, 1],
        [511, 2],
        [4095, 4098],
        [5, (2 << 20) + 7],
        [content.length - 513, 513],
        [0, content.length],
      ];
      await Promise.all(
        places.map(async ([offset = 0, length = 0]) => {
          const target = Buffer.alloc(length);
          await device.read(offset, target);
          expect(target.equals(content.subarray(offset, offset + length))).toBe(true);
        }),
      );
      await device.close();
    } finally {
      loop.detach();
    }
  });

  it('learns size and sectors from sysfs as the device itself tells them', async () => {
    const loop = loopDevice(fileWith(Buffer.alloc(1 << 20)), { sectorBytes: 4096 });
    const handle = await open(loop.path);
    try {
      const device = await openFileDevice(loop.path);
      expect([device.sizeBytes, device.sectorBytes]).toEqual([1 << 20, 4096]);
      const told = { sizeBytes: 1 << 20, sectorBytes: 4096, readOnly: false };
      expect((await libc()).blockGeometry(handle.fd)).toEqual(told);
      expect(await geometryFromSysfs(statSync(loop.path).rdev)).toEqual(told);
      await device.close();
    } finally {
      await handle.close();
      loop.detach();
    }
  });

  it('zeroes by the calls of the system, not only by the fallback', async () => {
    const path = fileWith(Buffer.alloc(1 << 20, 1));
    const loop = loopDevice(path);
    const handles = [await open(loop.path, 'r+'), await open(path, 'r+')];
    try {
      const { zeroBlock: block, zeroFile: file } = await libc();
      expect(await block(handles[0]?.fd ?? -1, 512, 4096)).toBe(true);
      expect(await file(handles[1]?.fd ?? -1, 700_000, 100)).toBe(true);
      expect(await file(-1, 0, 100)).toBe(false);
    } finally {
      for (const handle of handles) await handle.close();
      loop.detach();
    }
  });

  it('opens for writing only what nobody else holds', async () => {
    const loop = loopDevice(fileWith(Buffer.alloc(1 << 20)));
    try {
      const first = await openWritableFileDevice(loop.path);
      await expect(openWritableFileDevice(loop.path)).rejects.toMatchObject({ code: 'DISK_BUSY', retry: 'later' });
      await (await openFileDevice(loop.path)).close();
      await first.close();
      await (await openWritableFileDevice(loop.path)).close();
    } finally {
      loop.detach();
    }
  });

  it('refuses a mounted device', async () => {
    const path = fileWith(Buffer.alloc(4 << 20));
    run('mkfs.ext4', ['-q', '-F', path]);
    const loop = loopDevice(path);
    const mountPoint = mkdtempSync(join(folder, 'mount-'));
    try {
      run('mount', ['-t', 'ext4', loop.path, mountPoint]);
      try {
        await expect(openWritableFileDevice(loop.path)).rejects.toMatchObject({ code: 'DISK_BUSY' });
      } finally {
        run('umount', [mountPoint]);
      }
    } finally {
      loop.detach();
    }
  });

  it('refuses to write a read-only medium', async () => {
    const loop = loopDevice(fileWith(Buffer.alloc(1 << 20)), { readOnly: true });
    try {
      await expect(openWritableFileDevice(loop.path)).rejects.toMatchObject({ code: 'DISK_READ_ONLY' });
    } finally {
      loop.detach();
    }
  });

  it('says DISK_FULL when the file system below has no room left', async () => {
    const image = fileWith(Buffer.alloc(0));
    run('truncate', ['-s', '8M', image]);
    run('mkfs.ext4', ['-q', '-F', image]);
    const loop = loopDevice(image);
    const mountPoint = mkdtempSync(join(folder, 'full-'));
    try {
      run('mount', ['-t', 'ext4', loop.path, mountPoint]);
      try {
        const device = await openWritableFileDevice(join(mountPoint, 'big.img'), { createSizeBytes: 64 << 20 });
        const fill = async () => {
          for (let at = 0; at < device.sizeBytes; at += 1 << 20) await device.write(at, Buffer.alloc(1 << 20, 1));
          await device.flush();
        };
        await expect(fill()).rejects.toMatchObject({ code: 'DISK_FULL', retry: 'later' });
        await device.close();
      } finally {
        run('umount', [mountPoint]);
      }
    } finally {
      loop.detach();
    }
  });
});

describe('files as disks', () => {
  it('creates a sparse file, never grows or cuts an existing one', async () => {
    const path = join(folder, 'new.img');
    const device = await openWritableFileDevice(path, { createSizeBytes: 64 << 20, sectorBytes: 4096 });
    expect([device.sizeBytes, device.sectorBytes]).toEqual([64 << 20, 4096]);
    await device.close();
    expect(statSync(path).blocks).toBeLessThan(64);
    const again = await openWritableFileDevice(path, { createSizeBytes: 1 << 20 });
    expect(again.sizeBytes).toBe(64 << 20);
    await again.close();
  });

  it('zeroes by punching holes', async () => {
    const path = fileWith(Buffer.alloc(4 << 20, 1));
    const device = await openWritableFileDevice(path);
    await device.flush();
    const before = statSync(path).blocks;
    await device.zero(4096 + 17, 3 << 20);
    expect(statSync(path).blocks).toBeLessThan(before / 2);
    expect(statSync(path).size).toBe(4 << 20);
    await device.close();
  });

  it('reads, writes and zeroes beyond 4 GiB', async () => {
    const path = join(folder, 'large.img');
    const device = await openWritableFileDevice(path, { createSizeBytes: 6 * 2 ** 30 });
    await device.write(5 * 2 ** 30 + 100, Buffer.alloc(1 << 20, 1));
    await device.zero(5 * 2 ** 30 + 4096, 1 << 19);
    const bytes = await readBytes(device, 5 * 2 ** 30, 1 << 20);
    expect([bytes[99], bytes[100], bytes[4095], bytes[4096], bytes[4095 + (1 << 19)], bytes[4096 + (1 << 19)]]).toEqual([
      0, 1, 1, 0, 0, 1,
    ]);
    await device.close();
  });

  it('leaves nothing behind when the file cannot be made that large', async () => {
    const path = join(folder, 'absurd.img');
    await expect(openWritableFileDevice(path, { createSizeBytes: 2 ** 53 - 1 })).rejects.toMatchObject({
      code: 'DISK_WRITE_FAILED',
    });
    expect(existsSync(path)).toBe(false);
  });

  it('follows links', async () => {
    const link = join(folder, 'link');
    symlinkSync(fileWith(Buffer.alloc(1024, 3)), link);
    const device = await openFileDevice(link);
    expect(device.sizeBytes).toBe(1024);
    await device.close();
  });

  it('refuses what is no disk, by code', async () => {
    const fifo = join(folder, 'fifo');
    run('mkfifo', [fifo]);
    for (const openDevice of [openFileDevice, openWritableFileDevice]) {
      await expect(openDevice(join(folder, 'absent'))).rejects.toMatchObject({ code: 'DISK_NOT_FOUND' });
      await expect(openDevice(folder)).rejects.toMatchObject({ code: 'DISK_WRONG_KIND' });
      await expect(openDevice('/dev/null')).rejects.toMatchObject({ code: 'DISK_WRONG_KIND' });
      await expect(openDevice(fifo)).rejects.toMatchObject({ code: 'DISK_WRONG_KIND' });
    }
  });

  it('says so when the file is cut short under it', async () => {
    const path = fileWith(Buffer.alloc(8192));
    const device = await openFileDevice(path);
    run('truncate', ['-s', '4096', path]);
    await expect(readBytes(device, 4000, 200)).rejects.toMatchObject({ code: 'DISK_READ_FAILED' });
    await device.close();
  });

  it('undoes makedev', () => {
    expect(deviceNumber(0x0801)).toBe('8:1');
    expect(deviceNumber(0x10000000 + 0x10301)).toBe('259:65537');
  });
});
