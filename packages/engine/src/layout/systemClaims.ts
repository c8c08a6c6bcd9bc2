/** What single facts say of a volume: the type of its partition, what lies on it, where systems mount it. Tables, no rules. */
import type { Claim } from './selectSystem.ts';

const esp: Claim = { kind: 'boot', why: 'EFI system partition: the firmware starts the PC from it' };
const recovery: Claim = { kind: 'boot', why: 'Windows recovery' };
const vendor: Claim = { kind: 'boot', why: 'recovery partition of the maker' };
const swap: Claim = { kind: 'swap', why: 'swap space: its header, so that the system finds it again' };
const root: Claim = { kind: 'system', why: 'its type says that a Linux system lies on it' };

/**
 * Types that leave no doubt, whatever the volume holds. GUIDs: UEFI 2.10 §5.3.3, Microsoft's PARTITION_INFORMATION_GPT, the
 * Discoverable Partitions Specification; MBR bytes as fdisk lists them.
 */
const strong = new Map<string, Claim>([
  ['c12a7328-f81f-11d2-ba4b-00a0c93ec93b', esp],
  ['0xef', esp],
  ['21686148-6449-6e6f-744e-656564454649', { kind: 'boot', why: 'BIOS boot partition: a part of the boot loader' }],
  ['9e1a2d38-c612-4316-aa26-8b49521e5a8b', { kind: 'boot', why: 'PReP boot partition: the boot loader' }],
  ['0x41', { kind: 'boot', why: 'PReP boot partition: the boot loader' }],
  ['e3c9e316-0b5c-4db8-817d-f92df00215ae', { kind: 'boot', why: 'reserved by Windows for itself' }],
  ['bc13c2ff-59e6-4262-a352-b275fd6f7172', { kind: 'boot', why: 'kernels and boot loader of Linux' }],
  ['de94bba4-06d1-4d40-a16a-bfd50179d6ac', recovery],
  ['0x27', recovery],
  ['bfbfafe7-a34f-448a-9a5b-6213eb736c22', vendor],
  ['0x12', vendor],
  ['0xde', vendor],
  ...['0x05', '0x0f', '0x85'].map(
    (type) => [type, { kind: 'structure', why: 'holds the logical partitions: a part of the table' }] satisfies [string, Claim],
  ),
]);

/** Types that decide where a look inside says nothing. */
const weak = new Map<string, Claim>([
  ['0657fd6d-a4ab-43c4-84e5-0933c84b4f4f', swap],
  ['44479540-f297-41b2-9af7-d131d5f0458a', root],
  ['4f68bce3-e8cd-4db1-96e7-fbcaf984b709', root],
  ['69dad710-2ce4-4e3c-b16c-21a1d49abed3', root],
  ['b921b045-1df0-41c3-af44-4c6f280d3fae', root],
  ['933ac7e1-2eb4-4f13-b844-0e14e2aef915', { kind: 'data', why: 'data: home folders by its type' }],
]);

export function claimOfType(type: string, strength: 'strong' | 'weak'): Claim | null {
  return (strength === 'strong' ? strong : weak).get(type) ?? null;
}

const words: readonly (readonly [string, Claim])[] = [
  ['windows', { kind: 'system', why: 'holds Windows' }],
  ['linux', { kind: 'system', why: 'holds a Linux system' }],
  ['windowsBoot', { kind: 'boot', why: 'starts Windows (boot manager)' }],
  ['linuxBoot', { kind: 'boot', why: 'kernels and boot loader of Linux' }],
  ['recovery', recovery],
  ['efi', { kind: 'boot', why: 'holds boot loaders for UEFI' }],
];

export function claimOfWords(holds: readonly string[]): Claim | null {
  return words.find(([word]) => holds.includes(word))?.[1] ?? null;
}

/** Below these the system itself lives; two levels below /var or deeper lies what it serves. */
const systemMounts = /^\/(|usr(\/.*)?|etc|boot(\/.*)?|efi|opt|root|bin|sbin|lib\w*|nix(\/.*)?|gnu(\/.*)?|var(\/[^/]+)?)$/;
const bootMounts = /^\/(boot|efi)(\/|$)/;

/** Null: mounted nowhere. */
export function claimOfMounts(mountPoints: readonly string[], inUse: boolean): Claim | null {
  const own = mountPoints.filter((point) => systemMounts.test(point));
  const who = inUse ? 'the running system' : 'its system';
  const [first] = own;
  if (first !== undefined) {
    const places = own.slice(0, 3).join(', ');
    const kind = own.every((point) => bootMounts.test(point)) ? 'boot' : 'system';
    return { kind, why: `${who} mounts it at ${places}` };
  }
  if (mountPoints.includes('swap')) return swap;
  const [other] = mountPoints;
  return other === undefined ? null : { kind: 'data', why: `data: ${who} mounts it at ${other}` };
}

/** Kinds a system may hide in and that are not looked into. */
export const MAY_HIDE_A_SYSTEM: ReadonlyMap<string, string> = new Map([
  ['luks1', 'encrypted (LUKS)'],
  ['luks2', 'encrypted (LUKS)'],
  ['bitlocker', 'encrypted (BitLocker)'],
  ['lvm2', 'a part of an LVM volume group'],
  ['linux-raid', 'a part of a RAID'],
  ['zfs', 'a part of a ZFS pool'],
  ['apfs', 'an APFS container'],
  ['hfsplus', 'a macOS volume'],
  ['refs', 'an ReFS volume'],
  ['jfs', 'a JFS volume'],
  ['reiserfs', 'a ReiserFS volume'],
  ['erofs', 'an EROFS volume'],
  ['squashfs', 'a SquashFS volume'],
  ['f2fs', 'an F2FS volume'],
  ['bcachefs', 'a bcachefs volume'],
  ['bcache', 'a bcache volume'],
]);
