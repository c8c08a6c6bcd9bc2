/** A machine on which koffi does not load: everything works, only slower. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, vi } from 'vitest';
import { openFileDevice, openWritableFileDevice } from '../index.ts';
import { blockDeviceContract } from '../testing/blockDeviceContract.ts';
import { scratchFolder } from '../testing/machine.ts';

vi.mock('./libc.ts', () => ({
  libc: async () => ({ zeroFile: async () => false, zeroBlock: async () => false, blockGeometry: () => null }),
}));

const scratch = scratchFolder();
afterAll(scratch.remove);
let files = 0;

blockDeviceContract('writable file without libc calls', async (content) => {
  files += 1;
  const path = join(scratch.path, `disk-${files}.img`);
  writeFileSync(path, content);
  return { device: await openWritableFileDevice(path), reopen: () => openFileDevice(path) };
});
