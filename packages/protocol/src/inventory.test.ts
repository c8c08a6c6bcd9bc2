import { expect, test } from 'vitest';
import { filesystemShape } from './inventory.ts';

const ext4 = { kind: 'ext4', label: 'root', uuid: 'id', totalBytes: 10, usedBytes: 5, clean: true };

test('[P13] what nobody looked into is neither clean nor not; logical volumes are told; agents that know neither are understood', () => {
  expect(filesystemShape.parse(ext4)).toEqual(ext4);
  const luks = { ...ext4, kind: 'luks2', clean: null, details: 'aes-xts-plain64' };
  expect(filesystemShape.parse(luks)).toEqual(luks);
  const volumes = [
    { name: 'office/root', sizeBytes: 10, type: 'linear', filesystem: ext4 },
    { name: 'office/half', sizeBytes: 10, type: 'raid1', filesystem: null },
  ];
  const lvm2 = { ...ext4, kind: 'lvm2', volumes };
  expect(filesystemShape.parse(lvm2)).toEqual(lvm2);
});

test('[P5] names of logical volumes are cut and cleaned like all text of agents', () => {
  const volumes = [{ name: `office/\u202e${'x'.repeat(300)}`, sizeBytes: 1, type: 'a\u0007', filesystem: null }];
  const [volume] = filesystemShape.parse({ ...ext4, volumes }).volumes ?? [];
  expect(volume?.name).toHaveLength(256);
  expect(volume?.name).toMatch(/^office\/\ufffdx+$/);
  expect(volume?.type).toBe('a\ufffd');
  expect(filesystemShape.safeParse({ ...ext4, volumes: Array.from({ length: 1025 }, () => volumes[0]) }).success).toBe(false);
});
