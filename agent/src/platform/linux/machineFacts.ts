import { arch, availableParallelism, cpus, hostname, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { MachineFacts } from '../types.ts';
import { listFolder, type Roots, readText } from './roots.ts';
import { unescapeOctal } from './users.ts';

export async function machineFacts(roots: Roots): Promise<MachineFacts> {
  const osRelease = parseOsRelease((await readText(join(roots.etc, 'os-release'))) ?? '');
  const dmi = async (name: string) => (await readText(join(roots.sys, 'class/dmi/id', name))) ?? '';
  // Boards without DMI (ARM) name themselves in the device tree, ended by a NUL.
  const board = ((await readText(join(roots.proc, 'device-tree/model'))) ?? '').replaceAll('\0', '');
  return {
    hostname: hostname(),
    os: {
      platform: 'linux',
      name: osRelease.get('NAME') ?? 'Linux',
      version: osRelease.get('VERSION_ID') ?? osRelease.get('BUILD_ID') ?? '',
      kernel: release(),
      arch: arch(),
    },
    hardware: {
      vendor: await dmi('sys_vendor'),
      model: (await dmi('product_name')) || board,
      serial: await dmi('product_serial'),
      cpu: cpus()[0]?.model ?? '',
      cores: availableParallelism(),
      memoryBytes: totalmem(),
    },
    firmware: await firmwareOf(roots),
    bootId: (await readText(join(roots.proc, 'sys/kernel/random/boot_id'))) ?? '',
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

/** A PC without UEFI's folder was started by a BIOS; boards that are no PCs have neither. */
async function firmwareOf(roots: Roots): Promise<'uefi' | 'bios' | null> {
  if ((await listFolder(join(roots.sys, 'firmware/efi'))).length > 0) return 'uefi';
  return arch() === 'x64' || arch() === 'ia32' ? 'bios' : null;
}

/** `NAME="value"` lines of os-release(5). */
export function parseOsRelease(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
    if (match?.[1]) values.set(match[1], unescapeOctal(match[2] ?? match[3] ?? match[4] ?? ''));
  }
  return values;
}
