/** Headers of kinds no tool here makes without their kernel or their system, after the layouts named beside their recognisers. */
const MIB = 1 << 20;

const id = (seed: number) => Buffer.from(Array.from({ length: 16 }, (_, index) => (seed * 31 + index * 17) & 0xff));

function volume(sizeBytes = 2 * MIB): Buffer {
  return Buffer.alloc(sizeBytes);
}

/** A member of a RAID of version 1, whose super block stands at `at`. */
export function raid1x(at: number, sizeBytes = 2 * MIB): Buffer {
  const bytes = volume(sizeBytes);
  bytes.writeUInt32LE(0xa92b4efc, at);
  bytes.writeUInt32LE(1, at + 4);
  id(1).copy(bytes, at + 16);
  bytes.write('nas:0', at + 32);
  bytes.writeUInt32LE(1, at + 72);
  bytes.writeBigUInt64LE(1024n, at + 80);
  bytes.writeUInt32LE(2, at + 92);
  bytes.writeBigUInt64LE(BigInt(at / 512), at + 144);
  id(2).copy(bytes, at + 168);
  bytes.writeUInt16LE(0, at + 256);
  // Of all words before the checksum and after it, folded; two devices.
  let sum = 0n;
  for (let word = 0; word < 256; word += 4) sum += BigInt(bytes.readUInt32LE(at + word));
  bytes.writeUInt32LE(Number((sum & 0xffffffffn) + (sum >> 32n)), at + 216);
  return bytes;
}

export function raid090(): Buffer {
  const bytes = volume();
  const at = bytes.length - (64 << 10);
  for (const [offset, value] of [
    [0, 0xa92b4efc],
    [4, 0],
    [8, 90],
    [20, 0x11223344],
    [28, 1],
    [32, 1024],
    [52, 0x55667788],
    [56, 0x99aabbcc],
    [60, 0xddeeff01],
  ] as const) {
    bytes.writeUInt32LE(value, at + offset);
  }
  return bytes;
}

export function refs(): Buffer {
  const bytes = volume();
  bytes.write('ReFS', 3);
  bytes.write('FSRS', 16);
  bytes.writeBigUInt64LE(2048n, 24);
  bytes.writeUInt32LE(512, 32);
  return bytes;
}

/** As Windows 7 and later: a boot sector, and metadata where it says. */
export function bitlocker(): Buffer {
  const bytes = volume();
  bytes.set([0xeb, 0x58, 0x90]);
  bytes.write('-FVE-FS-', 3);
  bytes.writeUInt16LE(512, 11);
  bytes.write('3bd66749292ed84a8399f6a339e3d001', 160, 'hex');
  for (let copy = 0; copy < 3; copy += 1) bytes.writeBigUInt64LE(BigInt((copy + 1) * 65_536), 176 + copy * 8);
  bytes.writeUInt16LE(0xaa55, 510);
  bytes.write('-FVE-FS-', 65_536);
  bytes.writeUInt16LE(2, 65_536 + 10);
  // 4d9b5a7c-1f2e-4a3b-8c6d-0123456789ab
  bytes.write('7c5a9b4d2e1f3b4a8c6d0123456789ab', 65_536 + 80, 'hex');
  return bytes;
}

/** A stick for everybody: FAT32 to look at, with BitLocker's GUID. */
export function bitlockerToGo(): Buffer {
  const bytes = bitlocker();
  bytes.write('MSWIN4.1', 3);
  bytes.writeUInt8(2, 16);
  bytes.write('3bd66749292ed84a8399f6a339e3d001', 424, 'hex');
  for (let copy = 0; copy < 3; copy += 1) bytes.writeBigUInt64LE(BigInt((copy + 1) * 65_536), 440 + copy * 8);
  return bytes;
}

export function hfsplus(name: string): Buffer {
  const bytes = volume();
  bytes.write('H+', 1024);
  bytes.writeUInt16BE(4, 1024 + 2);
  bytes.writeUInt32BE(4096, 1024 + 40);
  bytes.writeUInt32BE(512, 1024 + 44);
  bytes.write('0123456789abcdef', 1024 + 104, 'hex');
  // The catalog: 16 blocks from block 4 on; its header node and, as node 1, its first leaf.
  bytes.writeUInt32BE(16, 1024 + 284);
  bytes.writeUInt32BE(4, 1024 + 288);
  bytes.writeUInt32BE(16, 1024 + 292);
  const header = 4 * 4096;
  bytes.writeUInt8(1, header + 8);
  bytes.writeUInt32BE(1, header + 20);
  bytes.writeUInt32BE(1, header + 24);
  bytes.writeUInt16BE(4096, header + 32);
  const leaf = header + 4096;
  bytes.writeUInt8(0xff, leaf + 8);
  bytes.writeUInt16BE(1, leaf + 10);
  bytes.writeUInt16BE(6 + name.length * 2, leaf + 14);
  bytes.writeUInt32BE(1, leaf + 16);
  bytes.writeUInt16BE(name.length, leaf + 20);
  Buffer.from(name, 'utf16le')
    .swap16()
    .copy(bytes, leaf + 22);
  return bytes;
}

function xdrPair(name: string, type: number, value: Buffer): Buffer {
  const padded = Buffer.alloc(Math.ceil(name.length / 4) * 4);
  padded.write(name);
  const word = (number: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(number);
    return bytes;
  };
  const body = Buffer.concat([word(name.length), padded, word(type), word(1), value]);
  return Buffer.concat([word(body.length + 8), word(body.length + 8), body]);
}

export function zfs(options: { bigEndian?: boolean } = {}): Buffer {
  // The least blkid looks at.
  const bytes = volume(64 * MIB);
  const guid = Buffer.alloc(8);
  guid.writeBigUInt64BE(12_345_678_901_234_567_890n);
  const name = Buffer.from('\0\0\0\x04tank', 'latin1');
  const version = Buffer.alloc(8);
  version.writeBigUInt64BE(5000n);
  const list = Buffer.concat([
    Buffer.from([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    xdrPair('version', 8, version),
    xdrPair('name', 9, name),
    xdrPair('pool_guid', 8, guid),
    Buffer.alloc(8),
  ]);
  for (const label of [0, 256 << 10, bytes.length - (512 << 10), bytes.length - (256 << 10)]) {
    list.copy(bytes, label + (16 << 10));
    for (let index = 4; index < 12; index += 1) {
      const at = label + (128 << 10) + index * 1024;
      if (options.bigEndian) bytes.writeBigUInt64BE(0x00bab10cn, at);
      else bytes.writeBigUInt64LE(0x00bab10cn, at);
    }
  }
  return bytes;
}

export function bcache(): Buffer {
  const bytes = volume();
  bytes.writeBigUInt64LE(8n, 4096 + 8);
  bytes.writeBigUInt64LE(1n, 4096 + 16);
  bytes.write('c68573f64e1a45ca8265f57f48ba6d81', 4096 + 24, 'hex');
  id(3).copy(bytes, 4096 + 40);
  bytes.write('fast one', 4096 + 72);
  return bytes;
}

export function bcachefs(magic: 'old' | 'new'): Buffer {
  const bytes = volume();
  bytes.writeUInt16LE(1024, 4096 + 16);
  bytes.write(magic === 'old' ? 'c68573f64e1a45ca8265f57f48ba6d81' : 'c68573f666ce90a9d96a60cf803df7ef', 4096 + 24, 'hex');
  id(4).copy(bytes, 4096 + 40);
  id(5).copy(bytes, 4096 + 56);
  bytes.write('many disks', 4096 + 72);
  bytes.writeBigUInt64LE(8n, 4096 + 104);
  bytes.writeUInt16LE(8, 4096 + 120);
  bytes.writeUInt8(1, 4096 + 123);
  return bytes;
}

/** Version 1 swap space with a magic of one's choice. */
export function swapOf(magic: string, pageBytes: number): Buffer {
  const bytes = volume();
  bytes.writeUInt32LE(1, 1024);
  bytes.writeUInt32LE(bytes.length / pageBytes - 1, 1028);
  id(6).copy(bytes, 1036);
  bytes.write('sleepy', 1052);
  bytes.write(magic, pageBytes - 10);
  return bytes;
}
