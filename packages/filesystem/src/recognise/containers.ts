/** What holds volumes rather than files: volume managers, RAID, encryption, caches. Each block names the source of its layout. */
import { LABEL_MAGIC, LABEL_PLACES_BYTES, parseLabel } from '../lvm/label.ts';
import { formatUuid, type Recogniser, textOf } from './recogniser.ts';

/** A physical volume of LVM2, by its label. */
export const lvm2: Recogniser = {
  kind: 'lvm2',
  magics: LABEL_PLACES_BYTES.map((atBytes) => ({ atBytes, bytes: LABEL_MAGIC })),
  async describe(volume, magicAt) {
    const sector = await volume.at(magicAt, 512);
    const label = sector && parseLabel(sector, magicAt);
    return label && { uuid: label.uuid, totalBytes: label.deviceBytes };
  },
};

const LUKS_MAGIC = 'LUKS\xba\xbe';
/** LUKS2 keeps a second header, whose place follows from the size of the first. */
const LUKS_SECOND_MAGIC = 'SKUL\xba\xbe';
const LUKS_SECOND_PLACES = [0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000];

/** The JSON text of LUKS2 begins behind the binary header; its first segment says how the data is encrypted. */
const LUKS_JSON_OFFSET_BYTES = 4096;
const LUKS_JSON_BYTES = 12 << 10;

/**
 * LUKS (On-Disk Format 1.2.3 and LUKS2 1.1.3), big-endian: | 6 | 2 | version | 168 | 40 | uuid |
 * Version 1: | 8 | 32 | cipher | 40 | 32 | mode | 108 | 4 | bytes of the key |, version 2: | 24 | 48 | label |
 */
export const luks: Recogniser = {
  kind: 'luks2',
  magics: [{ atBytes: 0, bytes: LUKS_MAGIC }, ...LUKS_SECOND_PLACES.map((atBytes) => ({ atBytes, bytes: LUKS_SECOND_MAGIC }))],
  async describe(volume, magicAt) {
    const header = await volume.at(magicAt, 512);
    const version = header?.u16be(6);
    if (!header || (version !== 1 && version !== 2) || (version === 1 && magicAt > 0)) return null;
    const uuid = textOf(header.slice(168, 40));
    if (version === 1) {
      if (header.u8(8) === 0) return { kind: 'luks1', uuid };
      const details = `${textOf(header.slice(8, 32))}-${textOf(header.slice(40, 32))}, key of ${header.u32be(108) * 8} bits`;
      return { kind: 'luks1', uuid, details };
    }
    const json = await volume.at(magicAt + LUKS_JSON_OFFSET_BYTES, LUKS_JSON_BYTES);
    const details = /"encryption"\s*:\s*"([\w:.-]{1,64})"/.exec(json?.bytes.toString('latin1') ?? '')?.[1] ?? '';
    return { kind: 'luks2', uuid, label: textOf(header.slice(24, 48)), details };
  },
};

const RAID_MAGIC = '\xfc\x4e\x2b\xa9';
const RAID_OLD_ZONE_BYTES = 64 << 10;

/**
 * Members of a Linux software RAID (md_p.h). Version 1 stands at the end (1.0), the beginning (1.1) or 4 KiB behind it (1.2):
 * | 4 | 4 | 1 | 16 | 16 | uuid of the array | 32 | 32 | its name | 144 | 8 | the sector it stands in |
 * Version 0.90 stands in the last whole 64 KiB but none: | 4 | 4 | 0 | 20, 52, 56, 60 | 4 each | uuid of the array |
 */
export const linuxRaid: Recogniser = {
  kind: 'linux-raid',
  magics: [
    { atBytes: 0, bytes: RAID_MAGIC },
    { atBytes: 4096, bytes: RAID_MAGIC },
    { atBytes: (sizeBytes) => Math.floor((Math.floor(sizeBytes / 512) - 16) / 8) * 4096, bytes: RAID_MAGIC },
    {
      atBytes: (sizeBytes) => Math.floor(sizeBytes / RAID_OLD_ZONE_BYTES - 1) * RAID_OLD_ZONE_BYTES,
      bytes: RAID_MAGIC,
    },
  ],
  async describe(volume, magicAt) {
    const block = await volume.at(magicAt, 256);
    if (block === null) return null;
    if (block.u32(4) === 1 && block.u64big(144) === BigInt(magicAt / 512)) {
      return { uuid: formatUuid(block.slice(16, 16)), label: textOf(block.slice(32, 32)) };
    }
    if (block.u32(4) !== 0 || block.u32(8) < 90 || magicAt % RAID_OLD_ZONE_BYTES !== 0) return null;
    return { uuid: formatUuid(Buffer.from([20, 52, 56, 60].flatMap((at) => [...Buffer.from(block.slice(at, 4)).reverse()]))) };
  },
};

/** BitLocker To Go shows itself as FAT32 and hides a GUID at 424; a fixed disk has its name where NTFS has its own. */
const BITLOCKER_GUID = Buffer.from('3bd66749292ed84a8399f6a339e3d001', 'hex');

/**
 * BitLocker (libbde, BitLocker Drive Encryption format). It has no label outside of what is encrypted. Its id is in the metadata, of
 * which the boot sector says where it begins: at 176, To Go at 440. | 0 | 8 | -FVE-FS- | 10 | 2 | version 2 | 80 | 16 | id |
 */
export const bitlocker: Recogniser = {
  kind: 'bitlocker',
  magics: [
    { atBytes: 3, bytes: '-FVE-FS-' },
    { atBytes: 424, bytes: BITLOCKER_GUID.toString('latin1') },
  ],
  async describe(volume, magicAt) {
    const boot = await volume.at(0, 512);
    if (boot?.u8(0) !== 0xeb || boot.u16(510) !== 0xaa55 || (magicAt !== 3 && boot.u8(16) === 0)) return null;
    const block = await volume.at(Number(boot.u64big(magicAt === 3 ? 176 : 440)), 128);
    const sound = block?.slice(0, 8).toString('latin1') === '-FVE-FS-' && block.u16(10) === 2;
    return sound ? { uuid: formatGuid(block.slice(80, 16)) } : {};
  },
};

/** As Windows writes it: the first three numbers have their bytes the other way round. */
function formatGuid(bytes: Buffer): string {
  const id = Buffer.from(bytes);
  id.subarray(0, 4).swap32();
  id.subarray(4, 8).swap16();
  return formatUuid(id);
}

const BCACHE_MAGIC = '\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81';
const BCACHEFS_MAGIC = '\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef';
const BCACHE_BLOCK_BYTES = 4096;

/**
 * bcache (include/uapi/linux/bcache.h) and bcachefs (bcachefs_format.h) both begin at 4 KiB, and old bcachefs has bcache's magic.
 * bcache:   | 8 | 8 | sector: 8 | 16 | 8 | version 0 to 6 | 40 | 16 | uuid of the device | 72 | 32 | label |
 * bcachefs: | 16 | 2 | version | 56 | 16 | uuid of the filesystem | 72 | 32 | label | 104 | 8 | sector: 8 |
 */
export const bcache: Recogniser = {
  kind: 'bcache',
  magics: [BCACHE_MAGIC, BCACHEFS_MAGIC].map((bytes) => ({ atBytes: BCACHE_BLOCK_BYTES + 24, bytes })),
  async describe(volume) {
    const block = await volume.at(BCACHE_BLOCK_BYTES, 256);
    if (block === null) return null;
    const label = textOf(block.slice(72, 32));
    if (block.slice(24, 16).toString('latin1') === BCACHE_MAGIC && block.u64big(8) === 8n && block.u64big(16) <= 6n)
      return { kind: 'bcache', uuid: formatUuid(block.slice(40, 16)), label };
    return block.u64big(104) === 8n ? { kind: 'bcachefs', uuid: formatUuid(block.slice(56, 16)), label } : null;
  },
};
