import type { SeedSource } from '../makeSeeds.ts';

const uuid = '6b0f8a52-3c1d-4f6e-9a77-0d2b5c1e9f10';
const inventory = {
  hostname: 'pc-1',
  os: { platform: 'linux', name: 'Debian', version: '12', kernel: '6.1', arch: 'x64' },
  hardware: { vendor: 'v', model: 'm', serial: 's', cpu: 'c', cores: 2, memoryBytes: 1 },
  bootId: 'b',
  timeZone: 'UTC',
  canReadDisks: true,
  limitation: null,
  allowRemoteDiskWrites: true,
  diskFilesFolder: null,
  disks: [
    {
      ...{ key: 'WD-1', path: '/dev/sda', name: 'sda', model: 'WD', serial: '1', sizeBytes: 1e12, sectorBytes: 512, bus: 'sata' },
      ...{ isSystemDisk: true, removable: false, readOnly: false, busyReason: null, table: 'gpt', tableId: 'x' },
      partitions: [
        {
          ...{ number: 1, startBytes: 1048576, sizeBytes: 1e9, type: '0x83', typeName: 'Linux', id: null, name: 'root' },
          filesystem: { kind: 'ext4', label: 'l', uuid, totalBytes: 1e9, usedBytes: 1e8, clean: true },
          ...{ mountPoint: '/', holds: ['linux'] },
        },
      ],
    },
  ],
  takenAt: '2026-01-01T00:00:00.000Z',
};
const failure = { code: 'DISK_READ_FAILED', message: 'the medium fails', retry: 'later' };
const progress = { phase: 'reading', doneBytes: 1, totalBytes: 2, storedBytes: 0, bytesPerSecond: 1, etaSeconds: 1 };
const messages = {
  prove: { type: 'prove', machineId: uuid, agentVersion: '1', protocolVersion: 1, agentNonce: 'AAAA', signature: 'AAAA' },
  hello: { type: 'hello', inventory, running: [{ jobId: uuid, attempt: 1 }], done: [] },
  decline: { type: 'decline', jobId: uuid, attempt: 1, failure },
  progress: { type: 'progress', jobId: uuid, attempt: 1, progress },
  challenge: { type: 'challenge', serverId: 's', serverNonce: 'AAAA', protocolMin: 1, protocolMax: 1 },
  refusal: { type: 'refusal', code: 'SERVER_BUSY', message: 'm', retryAfterMs: 1000 },
  renew: { type: 'renewToken', jobId: uuid, attempt: 1, token: 't' },
  enrol: { token: '0123456789abcdef', publicKey: 'AAAA', agentVersion: '1', protocolVersion: 1, inventory },
};

export const seeds: readonly SeedSource[] = Object.entries(messages).map(([name, message]) => ({
  name,
  make: async () => Buffer.from(JSON.stringify(message)),
}));
