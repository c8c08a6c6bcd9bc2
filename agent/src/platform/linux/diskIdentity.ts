/** Serial, model, WWN and bus of a disk, from udev's database where it exists and from sysfs everywhere else. */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlockNode } from './blockGraph.ts';
import { type Roots, readText } from './roots.ts';

export interface DiskIdentity {
  readonly key: string;
  readonly model: string;
  readonly serial: string;
  readonly bus: string;
}

export async function diskIdentity(roots: Roots, node: BlockNode): Promise<DiskIdentity> {
  if (node.loop !== null) return loopIdentity(node.loop);
  const udev = parseUdev((await readText(join(roots.run, 'udev/data', `b${node.number}`))) ?? '');
  const sys = (name: string) => readText(join(roots.sys, 'block', node.name, name));
  const serial = firstOf([
    udev.get('ID_SERIAL_SHORT'),
    await sys('serial'),
    await sys('device/serial'),
    udev.get('ID_SCSI_SERIAL'),
  ]);
  const wwn = firstOf([udev.get('ID_WWN_WITH_EXTENSION'), udev.get('ID_WWN'), await sys('wwid'), await sys('device/wwid')]);
  const vendor = firstOf([await sys('device/vendor')]);
  const model = firstOf([await sys('device/model'), udev.get('ID_MODEL')?.replaceAll('_', ' '), await sys('device/name')]);
  const bus = udev.get('ID_BUS') ?? (await guessBus(roots, node.name));
  return {
    key: wwn !== '' ? `wwn:${wwn}` : serial !== '' ? `serial:${serial}` : `dev:${node.name}`,
    // sysfs says "ATA" as the vendor of every SATA disk, and a PCI number for virtio.
    model:
      vendor === '' || vendor === 'ATA' || vendor.startsWith('0x') || model.startsWith(vendor)
        ? model
        : `${vendor} ${model}`.trim(),
    serial,
    bus,
  };
}

/** The first 16 hex digits of the SHA-256 of a path (and window): what makes keys of files and loop devices. */
export function pathHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

function loopIdentity(loop: { backingFile: string; offsetBytes: number }): DiskIdentity {
  const hash = pathHash(loop.offsetBytes === 0 ? loop.backingFile : `${loop.backingFile}\0${loop.offsetBytes}`);
  return { key: `loop:${hash}`, model: 'Loop device', serial: `LOOP-${hash.slice(0, 8).toUpperCase()}`, bus: 'loop' };
}

/** `E:NAME=value` lines. */
function parseUdev(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^E:([A-Z0-9_]+)=(.*)$/.exec(line);
    if (match?.[1] && match[2]) values.set(match[1], match[2]);
  }
  return values;
}

function firstOf(texts: readonly (string | null | undefined)[]): string {
  return texts.map((text) => text?.trim() ?? '').find((text) => text !== '') ?? '';
}

const busOfName: readonly [prefix: string, bus: string][] = [
  ['nvme', 'nvme'],
  ['vd', 'virtio'],
  ['xvd', 'xen'],
  ['mmcblk', 'mmc'],
  ['nbd', 'network'],
  ['pmem', 'memory'],
];

async function guessBus(roots: Roots, name: string): Promise<string> {
  const known = busOfName.find(([prefix]) => name.startsWith(prefix));
  if (known) return known[1];
  const real = await realpath(join(roots.sys, 'block', name)).catch(() => '');
  if (real.includes('/usb')) return 'usb';
  return real.includes('/ata') ? 'sata' : 'scsi';
}
